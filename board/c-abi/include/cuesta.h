/*
 * Cuesta for firmware in C: a log-structured storage engine over raw NAND.
 *
 * The caller brings the part, as a table of functions (struct cuesta_nand), and one piece of memory. Requests are submitted and polled:
 *
 *     status = cuesta_submit_write(disk, sector, data, &ticket);    CUESTA_WOULD_BLOCK: poll, then submit again
 *     cuesta_poll(disk, &event);                                     until event.kind is CUESTA_WRITTEN and event.ticket is the ticket
 *     if (event.kind == CUESTA_PENDING) cuesta_wait(disk);
 *
 * As many requests may be under way as the engine accepts. Nothing here blocks but cuesta_format, cuesta_mount, cuesta_mount_bytes and
 * cuesta_unmount, which drive the part until they have ended.
 *
 * Not thread-safe: one caller at a time for each disk. No function may be called from within one of the part's functions.
 *
 * Link with libcuesta_c.a (in board/: cargo build --release -p cuesta-c, with --target for a microcontroller) and define cuesta_panicked.
 */
#ifndef CUESTA_H
#define CUESTA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What calls and the part's functions return. */
typedef uint32_t cuesta_status;
enum {
    CUESTA_OK = 0,
    CUESTA_WOULD_BLOCK = 1, /* not now: poll, then try again; of the part's poll: not ended */
    CUESTA_INVALID = 2,     /* a null pointer, or a value, or a geometry, that there cannot be; nothing was done */

    CUESTA_OUT_OF_RANGE = 10,    /* a sector beyond the end; nothing was done */
    CUESTA_LOST = 11,            /* the sector can no longer be read; writing it makes it good again */
    CUESTA_READ_ONLY = 12,       /* no more writes; everything can still be read */
    CUESTA_NO_SPACE = 13,        /* no room: too many blocks have failed, or levels with copies fill the volume */
    CUESTA_BATCH_TOO_LARGE = 14, /* more sectors than a batch can have at the moment */
    CUESTA_NO_LEVEL = 15,        /* the volume has no level of this number; nothing was done */
    CUESTA_NO_BATCH = 16,        /* no batch is open */

    CUESTA_BLANK = 20,          /* the part is erased: format it */
    CUESTA_FOREIGN = 21,        /* the part holds data that is no volume */
    CUESTA_DAMAGED = 22,        /* the state of the volume cannot be told */
    CUESTA_HALF_FORMATTED = 23, /* a power cut ended a format: format again */
    CUESTA_VERSION = 24,        /* a volume of another format version */
    CUESTA_GEOMETRY = 25,       /* a volume made for another part */
    CUESTA_MEMORY = 26,         /* too little memory: ask cuesta_format_bytes or cuesta_mount_bytes */
    CUESTA_PARAMETERS = 27,     /* the options do not fit the part */
    CUESTA_BAD_BLOCKS = 28,     /* more bad blocks than the part may have */

    /* Of the part: its functions return these, and requests that fail because of it. */
    CUESTA_NAND_OUT_OF_BOUNDS = 40, /* an address outside the part */
    CUESTA_NAND_BUSY = 41,          /* an operation of the die is in flight */
    CUESTA_NAND_FORBIDDEN = 42,     /* the array forbids the operation */
    CUESTA_NAND_POWER_LOST = 43,
    CUESTA_NAND_TIMEOUT = 44, /* not ready in time; where pages have copies, the die counts as lost */
    CUESTA_NAND_RESET = 45,
    CUESTA_NAND_BUS = 46,
    CUESTA_NAND_OTHER = 47
};

/* The text of a status, in English, for logs. Never null. */
const char *cuesta_status_text(cuesta_status status);

/* ---- The part ---- */

/* Which pages of a factory-bad block carry the marker. */
enum { CUESTA_MARKER_FIRST = 0, CUESTA_MARKER_FIRST_OR_SECOND = 1, CUESTA_MARKER_FIRST_OR_LAST = 2 };

/* A part, or an array of like parts. Error correction of its own has to be off: the whole spare area is the engine's but for the marker. */
typedef struct cuesta_geometry {
    uint32_t dies;                   /* each does one array operation at a time; to 64 */
    uint32_t blocks_per_die;
    uint32_t pages_per_block;        /* programmed in ascending order; to 65 535 */
    uint32_t page_bytes;             /* main area */
    uint32_t spare_bytes;            /* to 65 535 */
    uint32_t buffers_per_die;        /* page buffers of the caller: 1 or 2 */
    uint32_t partial_programs_max;   /* programs of a page between two erases; 1 forbids partial ones */
    uint32_t bad_blocks_max_per_die; /* over the part's life, those of the factory included */
    uint32_t endurance_cycles;       /* erases that a block is rated for */
    uint32_t reads_per_block_max;    /* between two erases; 0: reading does not disturb */
    uint32_t marker_pages;           /* CUESTA_MARKER_... */
    uint32_t marker_offset;          /* of the first byte, from the start of the spare area */
    uint32_t marker_bytes;
    uint32_t ecc_bits;               /* wrong bits that the data sheet asks to correct ... */
    uint32_t ecc_bytes;              /* ... in so many bytes of the main area */
    uint32_t pairing_distance;       /* pages back that a cut program can destroy; 0: none */
} cuesta_geometry;

typedef struct cuesta_block {
    uint32_t die, block;
} cuesta_block;

typedef struct cuesta_page {
    uint32_t die, block, page;
} cuesta_page;

/* Bytes of a page to be read, counted from the start of the main area: the spare area begins at page_bytes. Either length may be 0. */
typedef struct cuesta_columns {
    uint32_t main_start, main_bytes, spare_start, spare_bytes;
} cuesta_columns;

/* How an array operation has ended. */
enum {
    CUESTA_DONE = 0,         /* a read, program or erase */
    CUESTA_FAILED = 1,       /* the status of a program or erase says that it failed */
    CUESTA_UNCORRECTABLE = 2 /* a read that the part says it could not correct */
};

/*
 * The functions of a part. All get `context`. Operations are started, and polled until they have ended; every die does one at a time. A power
 * cut may leave what was in flight in any state, and nothing else in another.
 */
typedef struct cuesta_nand {
    cuesta_geometry geometry;
    void *context;
    /* A page buffer of a die, page_bytes + spare_bytes long; always the same address. The engine reads and writes it while no operation uses it. */
    uint8_t *(*buffer)(void *context, uint32_t die, uint32_t buffer);
    /* Starts reading columns of a page into the same columns of a buffer. */
    cuesta_status (*start_read)(void *context, const cuesta_page *page, const cuesta_columns *columns, uint32_t buffer);
    /* Starts programming a page with the whole of a buffer, which keeps its bytes. */
    cuesta_status (*start_program)(void *context, const cuesta_page *page, uint32_t buffer);
    cuesta_status (*start_erase)(void *context, const cuesta_block *block);
    /* CUESTA_OK: the operation of the die has ended, as *ended says (CUESTA_DONE ...). CUESTA_WOULD_BLOCK: it has not, or there is none. */
    cuesta_status (*poll)(void *context, uint32_t die, uint32_t *ended);
    /* Nothing can be done before an operation ends: sleep, or return at once. May be null. */
    void (*wait)(void *context);
} cuesta_nand;

/* ---- A volume ---- */

/* Options of a format. All zero: everything by default. */
typedef struct cuesta_options {
    uint64_t volume_id; /* give every volume another */
    uint32_t capacity;  /* sectors; 0: as many as there can be */
    /* Levels as text, "name=bch8,mirror=2": the first is what writes without a level get. None: the code that the data sheet asks for. */
    const char *const *levels;
    uint32_t level_count;
} cuesta_options;

/* A mounted volume, in the caller's memory. */
typedef struct cuesta cuesta;

/* Memory for a format of the part. */
cuesta_status cuesta_format_bytes(const cuesta_geometry *geometry, const cuesta_options *options, size_t *bytes);

/* Makes an empty volume: erases every good block. A cut leaves the old volume, or CUESTA_HALF_FORMATTED. The memory is free again afterwards. */
cuesta_status cuesta_format(const cuesta_nand *nand, const cuesta_options *options, void *memory, size_t bytes);

/* Memory to mount the volume that is on the part, with so many reads at once: what it takes at least, and what more is of no use. Reads the part. */
cuesta_status cuesta_mount_bytes(const cuesta_nand *nand, uint32_t reads, size_t *least, size_t *most);

/*
 * Mounts the volume that is on the part. Writes nothing. The memory, of any alignment, is the engine's until cuesta_unmount or
 * cuesta_abandon; *nand is copied.
 */
cuesta_status cuesta_mount(const cuesta_nand *nand, uint32_t reads, void *memory, size_t bytes, cuesta **disk);

/* Ends the session in order: the next mount is a short one. The disk is gone afterwards, whatever is returned. */
cuesta_status cuesta_unmount(cuesta *disk);

/* Ends the session as a power cut would. */
void cuesta_abandon(cuesta *disk);

typedef struct cuesta_info {
    uint32_t capacity;     /* sectors */
    uint32_t sector_bytes;
    uint32_t mapped;       /* sectors that hold something; a hint after a cut */
    uint32_t bad_blocks;
    uint32_t wear_min, wear_max; /* erases */
    uint32_t batch_max;    /* sectors of a batch at the moment */
    uint32_t clean;        /* 1: the last session ended with cuesta_unmount and nothing was written since */
    uint32_t read_only;    /* 1: no more writes */
} cuesta_info;

/* The volume as a whole. Looks at every segment. */
cuesta_status cuesta_get_info(const cuesta *disk, cuesta_info *info);

/* ---- Requests ---- */

typedef uint32_t cuesta_ticket;

/* One sector, consumed before the call returns. Durable when CUESTA_WRITTEN comes. */
cuesta_status cuesta_submit_write(cuesta *disk, uint32_t sector, const void *data, cuesta_ticket *ticket);
/* The same at a level, by its number. */
cuesta_status cuesta_submit_write_at(cuesta *disk, uint32_t sector, const void *data, uint32_t level, cuesta_ticket *ticket);
/* One sector: CUESTA_DATA or CUESTA_UNWRITTEN. */
cuesta_status cuesta_submit_read(cuesta *disk, uint32_t sector, cuesta_ticket *ticket);
/* Sectors read as unwritten from CUESTA_TRIMMED on; durable with the next flush. */
cuesta_status cuesta_submit_trim(cuesta *disk, uint32_t first, uint32_t count, cuesta_ticket *ticket);
/* What had completed before is durable when CUESTA_FLUSHED comes. */
cuesta_status cuesta_submit_flush(cuesta *disk, cuesta_ticket *ticket);

/* A batch: all of its sectors take effect when CUESTA_COMMITTED comes, or none does. */
cuesta_status cuesta_begin_batch(cuesta *disk);
cuesta_status cuesta_submit_batch_write(cuesta *disk, uint32_t sector, const void *data, cuesta_ticket *ticket);
cuesta_status cuesta_submit_commit(cuesta *disk, cuesta_ticket *ticket);
void cuesta_abort_batch(cuesta *disk);

enum {
    CUESTA_IDLE = 0,    /* nothing is in flight and nothing has to be done */
    CUESTA_PENDING = 1, /* operations are in flight, none has ended: wait, then poll again */
    CUESTA_WRITTEN = 2,
    CUESTA_DATA = 3,      /* data, bytes: valid until the next call */
    CUESTA_UNWRITTEN = 4, /* never written, or trimmed: reads as zeros */
    CUESTA_TRIMMED = 5,
    CUESTA_FLUSHED = 6,
    CUESTA_COMMITTED = 7,
    CUESTA_REQUEST_FAILED = 8, /* status says why */
    CUESTA_OTHER_EVENT = 9     /* of a newer engine: ignore it */
};

typedef struct cuesta_event {
    uint32_t kind;
    cuesta_ticket ticket;
    cuesta_status status;
    const uint8_t *data;
    size_t bytes;
} cuesta_event;

/* Does a bounded amount of work and tells of one event at most. */
cuesta_status cuesta_poll(cuesta *disk, cuesta_event *event);

/* Calls the part's wait. */
void cuesta_wait(cuesta *disk);

/*
 * Tells that there is time: until the next write, polling brings the free segments up to `free` and writes anew what fades. *more is 1 while
 * there is something to do.
 */
cuesta_status cuesta_idle(cuesta *disk, uint32_t free, uint32_t *more);

/* Tells that much time has passed, weeks or more: the next idle time looks at all pages. */
void cuesta_time_passed(cuesta *disk);

/* To be defined by the caller; must not return. Called when the engine finds a mistake in itself: none is known. */
void cuesta_panicked(void);

#ifdef __cplusplus
}
#endif

#endif
