// A plugin of QEMU that counts the instructions between marks, exactly and repeatably.
//
// The marks are hints of the T32 instruction set that do nothing (Armv7-M Architecture Reference Manual, A7.7, "DBG"): `dbg #1` begins to
// count, `dbg #2` ends, `dbg #3` reports and starts again from 0. A report is a line of three numbers: how often it was counted, all
// instructions, and the most of one time. Marks are not counted. An instruction that is skipped by a condition is.
//
// QEMU's header comes with few packages of it, and needs GLib's: what is taken from it is declared here. These declarations are those of
// versions 3 and later of the interface (QEMU 9.1). https://www.qemu.org/docs/master/devel/tcg-plugins.html

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
typedef struct { struct qemu_plugin_scoreboard *score; size_t offset; } qemu_plugin_u64;
enum { INLINE_ADD_U64 = 0, NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *, int operation, qemu_plugin_u64, uint64_t);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t);
uint64_t qemu_plugin_u64_sum(qemu_plugin_u64);
void qemu_plugin_outs(const char *);

EXPORT int qemu_plugin_version = 3;

static qemu_plugin_u64 executed;
static uint64_t begun, times, sum, most;

static void begin(unsigned cpu, void *data)
{
    begun = qemu_plugin_u64_sum(executed);
}

static void end(unsigned cpu, void *data)
{
    uint64_t count = qemu_plugin_u64_sum(executed) - begun;
    times++;
    sum += count;
    if (count > most)
        most = count;
}

static void report(unsigned cpu, void *data)
{
    char line[80];
    snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", times, sum, most);
    qemu_plugin_outs(line);
    times = sum = most = 0;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    static void (*const marks[])(unsigned, void *) = { NULL, begin, end, report };
    size_t count = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        uint8_t code[4];
        if (qemu_plugin_insn_data(insn, code, 4) == 4 && !memcmp(code, "\xaf\xf3", 2) && code[3] == 0x80 && code[2] >= 0xf1 && code[2] <= 0xf3)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, marks[code[2] & 15], NO_REGISTERS, NULL);
        else
            qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, INLINE_ADD_U64, executed, 1);
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    executed.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
