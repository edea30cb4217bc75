/*
 * A disk in memory that does what standard input says, a request a line:
 *
 *     write SECTOR BYTE    trim FIRST COUNT    flush    batch FIRST COUNT BYTE    idle
 *     cut                  ends the session as a power cut would, and begins another one
 *     remount              ends it in order, and begins another one
 *
 * A sector is filled with one byte. In the end every sector is read and told, "SECTOR BYTE" or "SECTOR -" for one that is unwritten, and all
 * pages of the part are written to a file.
 *
 *     trace FILE DIES BLOCKS PAGES ...    the part: the fields of cuesta_geometry, in their order
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ram_nand.h"

#define READS 4

void cuesta_panicked(void) {
    fputs("the engine has found a mistake in itself\n", stderr);
    abort();
}

static void check(cuesta_status status, const char *what) {
    if (status == CUESTA_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, cuesta_status_text(status));
    exit(1);
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL) {
        fprintf(stderr, "no memory of %zu bytes\n", bytes);
        exit(1);
    }
    return memory;
}

struct session {
    cuesta_nand nand;
    cuesta *disk;
    void *memory;
    cuesta_info info;
    uint8_t *sector;
};

static void begin(struct session *session) {
    size_t least, most;
    check(cuesta_mount_bytes(&session->nand, READS, &least, &most), "mount_bytes");
    /* Something between, at an odd address: any will do. */
    size_t bytes = least + (most - least) / 2;
    session->memory = allocate(bytes + 1);
    check(cuesta_mount(&session->nand, READS, (uint8_t *)session->memory + 1, bytes, &session->disk), "mount");
    check(cuesta_get_info(session->disk, &session->info), "get_info");
}

/* Polls once; the event, if it is one of requests. */
static cuesta_event turn(struct session *session) {
    cuesta_event event;
    check(cuesta_poll(session->disk, &event), "poll");
    if (event.kind == CUESTA_PENDING)
        cuesta_wait(session->disk);
    return event;
}

/* Polls until a request has ended. */
static cuesta_event ended(struct session *session, cuesta_ticket ticket) {
    for (;;) {
        cuesta_event event = turn(session);
        if (event.kind >= CUESTA_WRITTEN && event.ticket == ticket) {
            check(event.status, "a request");
            return event;
        }
    }
}

/* Submits until a request is accepted. */
#define SUBMIT(session, call)                                                                                                                     \
    do {                                                                                                                                          \
        cuesta_status submitted;                                                                                                                  \
        while ((submitted = (call)) == CUESTA_WOULD_BLOCK)                                                                                        \
            turn(session);                                                                                                                        \
        check(submitted, #call);                                                                                                                  \
    } while (0)

static void batch(struct session *session, uint32_t first, uint32_t count) {
    cuesta_ticket ticket;
    SUBMIT(session, cuesta_begin_batch(session->disk));
    for (uint32_t index = 0; index < count; index++)
        SUBMIT(session, cuesta_submit_batch_write(session->disk, first + index, session->sector, &ticket));
    SUBMIT(session, cuesta_submit_commit(session->disk, &ticket));
    ended(session, ticket);
}

static void serve(struct session *session, const char *line) {
    uint32_t first, count, byte;
    cuesta_ticket ticket;
    if (sscanf(line, "write %u %u", &first, &byte) == 2) {
        memset(session->sector, (int)byte, session->info.sector_bytes);
        SUBMIT(session, cuesta_submit_write(session->disk, first, session->sector, &ticket));
        ended(session, ticket);
    } else if (sscanf(line, "trim %u %u", &first, &count) == 2) {
        SUBMIT(session, cuesta_submit_trim(session->disk, first, count, &ticket));
        ended(session, ticket);
    } else if (sscanf(line, "batch %u %u %u", &first, &count, &byte) == 3) {
        memset(session->sector, (int)byte, session->info.sector_bytes);
        batch(session, first, count);
    } else if (strcmp(line, "flush\n") == 0) {
        SUBMIT(session, cuesta_submit_flush(session->disk, &ticket));
        ended(session, ticket);
    } else if (strcmp(line, "idle\n") == 0) {
        uint32_t more = 1;
        for (int steps = 0; more != 0 && steps < 100; steps++) {
            check(cuesta_idle(session->disk, 4, &more), "idle");
            turn(session);
        }
    } else if (strcmp(line, "cut\n") == 0) {
        cuesta_abandon(session->disk);
        free(session->memory);
        begin(session);
    } else if (strcmp(line, "remount\n") == 0) {
        check(cuesta_unmount(session->disk), "unmount");
        free(session->memory);
        begin(session);
    } else {
        fprintf(stderr, "this is no request: %s", line);
        exit(1);
    }
}

static void tell(struct session *session) {
    for (uint32_t sector = 0; sector < session->info.capacity; sector++) {
        cuesta_ticket ticket;
        SUBMIT(session, cuesta_submit_read(session->disk, sector, &ticket));
        cuesta_event event = ended(session, ticket);
        if (event.kind == CUESTA_UNWRITTEN) {
            printf("%u -\n", sector);
            continue;
        }
        for (size_t at = 1; at < event.bytes; at++) {
            if (event.data[at] != event.data[0]) {
                fprintf(stderr, "sector %u is not of one byte\n", sector);
                exit(1);
            }
        }
        printf("%u %u\n", sector, event.data[0]);
    }
}

/* What is not as the header says. */
static void refuse(struct session *session) {
    cuesta_ticket ticket;
    cuesta_nand incomplete = session->nand;
    size_t least, most;
    incomplete.poll = NULL;
    if (cuesta_submit_read(NULL, 0, &ticket) != CUESTA_INVALID || cuesta_submit_read(session->disk, 0, NULL) != CUESTA_INVALID ||
        cuesta_submit_write(session->disk, 0, NULL, &ticket) != CUESTA_INVALID || cuesta_poll(session->disk, NULL) != CUESTA_INVALID ||
        cuesta_submit_read(session->disk, session->info.capacity, &ticket) != CUESTA_OUT_OF_RANGE ||
        cuesta_submit_write_at(session->disk, 0, session->sector, 9, &ticket) != CUESTA_NO_LEVEL ||
        cuesta_submit_commit(session->disk, &ticket) != CUESTA_NO_BATCH ||
        cuesta_mount_bytes(&incomplete, READS, &least, &most) != CUESTA_INVALID) {
        fputs("what is wrong is not refused\n", stderr);
        exit(1);
    }
}

int main(int count, char **arguments) {
    uint32_t fields[sizeof(cuesta_geometry) / sizeof(uint32_t)];
    size_t field_count = sizeof fields / sizeof *fields;
    if ((size_t)count != 2 + field_count) {
        fprintf(stderr, "usage: %s FILE and the %zu fields of cuesta_geometry\n", arguments[0], field_count);
        return 2;
    }
    for (size_t index = 0; index < field_count; index++)
        fields[index] = (uint32_t)strtoul(arguments[2 + index], NULL, 10);
    cuesta_geometry geometry;
    memcpy(&geometry, fields, sizeof geometry);

    ram_nand *part = ram_nand_new(&geometry);
    if (part == NULL) {
        fputs("no memory for the part\n", stderr);
        return 1;
    }
    struct session session = {.nand = ram_nand_functions(part)};
    size_t bytes;
    cuesta_options options = {.volume_id = 1};
    if (cuesta_mount_bytes(&session.nand, READS, &bytes, &bytes) != CUESTA_BLANK) {
        fputs("an erased part should be blank\n", stderr);
        return 1;
    }
    check(cuesta_format_bytes(&geometry, &options, &bytes), "format_bytes");
    session.memory = allocate(bytes);
    if (cuesta_format(&session.nand, &options, session.memory, 64) != CUESTA_MEMORY) {
        fputs("64 bytes should be too little\n", stderr);
        return 1;
    }
    check(cuesta_format(&session.nand, &options, session.memory, bytes), "format");
    free(session.memory);
    begin(&session);
    session.sector = allocate(session.info.sector_bytes);
    refuse(&session);

    char line[128];
    while (fgets(line, sizeof line, stdin) != NULL)
        serve(&session, line);
    tell(&session);
    check(cuesta_unmount(session.disk), "unmount");

    FILE *file = fopen(arguments[1], "wb");
    const uint8_t *media = ram_nand_bytes(part, &bytes);
    if (file == NULL || fwrite(media, 1, bytes, file) != bytes || fclose(file) != 0) {
        perror(arguments[1]);
        return 1;
    }
    free(session.memory);
    free(session.sector);
    ram_nand_free(part);
    return 0;
}
