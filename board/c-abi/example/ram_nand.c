#include "ram_nand.h"

#include <stdlib.h>
#include <string.h>

/* How often poll says that an operation has not ended. */
#define POLLS 2

enum operation { NOTHING, READ, PROGRAM, ERASE };

struct die {
    enum operation operation;
    uint32_t polls;
};

struct ram_nand {
    cuesta_geometry geometry;
    size_t page_bytes; /* with its spare area */
    uint8_t *pages;
    uint32_t *next; /* of each block: the first page that may be programmed */
    uint8_t *buffers;
    struct die *dies;
};

static size_t blocks_of(const ram_nand *part) {
    return (size_t)part->geometry.dies * part->geometry.blocks_per_die;
}

static size_t bytes_of(const ram_nand *part) {
    return blocks_of(part) * part->geometry.pages_per_block * part->page_bytes;
}

static size_t block_number(const ram_nand *part, uint32_t die, uint32_t block) {
    return (size_t)die * part->geometry.blocks_per_die + block;
}

static uint8_t *page_of(ram_nand *part, const cuesta_page *page) {
    size_t block = block_number(part, page->die, page->block);
    return part->pages + (block * part->geometry.pages_per_block + page->page) * part->page_bytes;
}

static uint8_t *buffer(void *context, uint32_t die, uint32_t which) {
    ram_nand *part = context;
    return part->buffers + ((size_t)die * part->geometry.buffers_per_die + which) * part->page_bytes;
}

static cuesta_status start(ram_nand *part, uint32_t die, enum operation operation) {
    if (part->dies[die].operation != NOTHING)
        return CUESTA_NAND_BUSY;
    part->dies[die].operation = operation;
    part->dies[die].polls = POLLS;
    return CUESTA_OK;
}

static cuesta_status start_read(void *context, const cuesta_page *page, const cuesta_columns *columns, uint32_t which) {
    ram_nand *part = context;
    cuesta_status status = start(part, page->die, READ);
    if (status != CUESTA_OK)
        return status;
    const uint8_t *from = page_of(part, page);
    uint8_t *to = buffer(part, page->die, which);
    memcpy(to + columns->main_start, from + columns->main_start, columns->main_bytes);
    memcpy(to + columns->spare_start, from + columns->spare_start, columns->spare_bytes);
    return CUESTA_OK;
}

static cuesta_status start_program(void *context, const cuesta_page *page, uint32_t which) {
    ram_nand *part = context;
    uint32_t *next = &part->next[block_number(part, page->die, page->block)];
    if (page->page < *next)
        return CUESTA_NAND_FORBIDDEN;
    cuesta_status status = start(part, page->die, PROGRAM);
    if (status != CUESTA_OK)
        return status;
    *next = page->page + 1;
    const uint8_t *from = buffer(part, page->die, which);
    uint8_t *to = page_of(part, page);
    for (size_t at = 0; at < part->page_bytes; at++)
        to[at] &= from[at];
    return CUESTA_OK;
}

static cuesta_status start_erase(void *context, const cuesta_block *block) {
    ram_nand *part = context;
    cuesta_status status = start(part, block->die, ERASE);
    if (status != CUESTA_OK)
        return status;
    cuesta_page first = {block->die, block->block, 0};
    memset(page_of(part, &first), 0xFF, part->geometry.pages_per_block * part->page_bytes);
    part->next[block_number(part, block->die, block->block)] = 0;
    return CUESTA_OK;
}

static cuesta_status poll(void *context, uint32_t die, uint32_t *ended) {
    ram_nand *part = context;
    if (part->dies[die].operation == NOTHING)
        return CUESTA_WOULD_BLOCK;
    if (part->dies[die].polls > 0) {
        part->dies[die].polls--;
        return CUESTA_WOULD_BLOCK;
    }
    part->dies[die].operation = NOTHING;
    *ended = CUESTA_DONE;
    return CUESTA_OK;
}

ram_nand *ram_nand_new(const cuesta_geometry *geometry) {
    ram_nand *part = calloc(1, sizeof *part);
    if (part == NULL)
        return NULL;
    part->geometry = *geometry;
    part->page_bytes = (size_t)geometry->page_bytes + geometry->spare_bytes;
    part->pages = malloc(bytes_of(part));
    part->next = calloc(blocks_of(part), sizeof *part->next);
    part->buffers = malloc((size_t)geometry->dies * geometry->buffers_per_die * part->page_bytes);
    part->dies = calloc(geometry->dies, sizeof *part->dies);
    if (part->pages == NULL || part->next == NULL || part->buffers == NULL || part->dies == NULL) {
        ram_nand_free(part);
        return NULL;
    }
    memset(part->pages, 0xFF, bytes_of(part));
    return part;
}

void ram_nand_free(ram_nand *part) {
    if (part == NULL)
        return;
    free(part->pages);
    free(part->next);
    free(part->buffers);
    free(part->dies);
    free(part);
}

cuesta_nand ram_nand_functions(ram_nand *part) {
    cuesta_nand functions = {
        .geometry = part->geometry,
        .context = part,
        .buffer = buffer,
        .start_read = start_read,
        .start_program = start_program,
        .start_erase = start_erase,
        .poll = poll,
        .wait = NULL,
    };
    return functions;
}

const uint8_t *ram_nand_bytes(const ram_nand *part, size_t *bytes) {
    *bytes = bytes_of(part);
    return part->pages;
}
