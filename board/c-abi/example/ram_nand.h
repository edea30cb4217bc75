/* A NAND in memory, which refuses what a part forbids: an example of struct cuesta_nand, and what the library is tested with. */
#ifndef RAM_NAND_H
#define RAM_NAND_H

#include "../include/cuesta.h"

typedef struct ram_nand ram_nand;

/* An erased part; null if there is no memory for it. */
ram_nand *ram_nand_new(const cuesta_geometry *geometry);
void ram_nand_free(ram_nand *part);

/* Its functions. Valid as long as the part is. */
cuesta_nand ram_nand_functions(ram_nand *part);

/* All pages, main and spare area, die by die: so many bytes. */
const uint8_t *ram_nand_bytes(const ram_nand *part, size_t *bytes);

#endif
