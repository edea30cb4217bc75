// A plugin of QEMU that counts the instructions between marks, exactly and repeatably.
//
// The marks are hints of the T32 instruction set that do nothing (Armv7-M Architecture Reference Manual, A7.7, "DBG"): `dbg #1` begins to
// count, `dbg #2` ends, `dbg #3` reports and starts again from 0. Between the first two, what is behind `dbg #4` (codes) or `dbg #5` (the part), up
// to `dbg #6`, goes to a sum of its own. Marks are not counted. An instruction that is skipped by a condition is.
//
// A report is a line of three numbers: how often it was counted, all instructions but those that go to sums of their own, and the most of one time. With
// the argument `symbols=on` a line follows for each function in which something was executed: the sum (0, 1 for codes, 2 for the part), instructions, name.
//
// QEMU's header comes with few packages of it, and needs GLib's: what is taken from it is declared here. These declarations are those of
// versions 3 and later of the interface (QEMU 9.1). https://www.qemu.org/docs/master/devel/tcg-plugins.html

#include <inttypes.h>
#include <stdbool.h>
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
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *, int operation, qemu_plugin_u64, uint64_t);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *, unsigned cpu);
void qemu_plugin_outs(const char *);

EXPORT int qemu_plugin_version = 3;

// Functions of an image, those beyond in one; names are QEMU's, which keeps them.
enum { FUNCTIONS = 4096, ENGINE = 0, CODES, PART, SUMS };
static const char *names[FUNCTIONS] = { "?" };
static unsigned functions = 1;
static bool by_symbol;
static struct qemu_plugin_scoreboard *score;
static uint64_t seen[FUNCTIONS], sums[SUMS][FUNCTIONS];
static uint64_t times, one, sum, most;
static int counting = -1;

// Adds what was executed since the last mark to the sum that was being counted, and goes on with another.
static void go_on(unsigned cpu, int next)
{
    uint64_t *executed = qemu_plugin_scoreboard_find(score, cpu);
    for (unsigned i = 0; i < functions; i++) {
        uint64_t count = executed[i] - seen[i];
        seen[i] = executed[i];
        if (counting >= 0)
            sums[counting][i] += count;
        if (counting == ENGINE)
            one += count;
    }
    counting = next;
}

static void begin(unsigned cpu, void *data)
{
    go_on(cpu, ENGINE);
    one = 0;
}

static void end(unsigned cpu, void *data)
{
    go_on(cpu, -1);
    times++;
    sum += one;
    if (one > most)
        most = one;
}

static void report(unsigned cpu, void *data)
{
    char line[80];
    snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", times, sum, most);
    qemu_plugin_outs(line);
    for (unsigned i = 0; by_symbol && i < functions; i++)
        for (int kind = 0; kind < SUMS; kind++)
            if (sums[kind][i]) {
                snprintf(line, sizeof line, "= %d %" PRIu64 " ", kind, sums[kind][i]);
                qemu_plugin_outs(line);
                qemu_plugin_outs(names[i]);
                qemu_plugin_outs("\n");
            }
    times = sum = most = 0;
    memset(sums, 0, sizeof sums);
}

static void aside(unsigned cpu, void *kind)
{
    // Codes and the part are also used when nothing is counted.
    if (counting >= 0)
        go_on(cpu, (int)(intptr_t)kind);
}

static unsigned function_of(const struct qemu_plugin_insn *insn)
{
    const char *name = by_symbol ? qemu_plugin_insn_symbol(insn) : NULL;
    if (!name)
        return 0;
    for (unsigned i = 1; i < functions; i++)
        if (!strcmp(names[i], name))
            return i;
    if (functions == FUNCTIONS)
        return 0;
    names[functions] = name;
    return functions++;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    static const struct { void (*call)(unsigned, void *); intptr_t kind; } marks[] = {
        { NULL, 0 }, { begin, 0 }, { end, 0 }, { report, 0 }, { aside, CODES }, { aside, PART }, { aside, ENGINE },
    };
    size_t count = qemu_plugin_tb_n_insns(block);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        uint8_t code[4];
        if (qemu_plugin_insn_data(insn, code, 4) == 4 && !memcmp(code, "\xaf\xf3", 2) && code[3] == 0x80 && code[2] >= 0xf1 && code[2] <= 0xf6) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, marks[code[2] & 15].call, NO_REGISTERS, (void *)marks[code[2] & 15].kind);
        } else {
            qemu_plugin_u64 executed = { score, function_of(insn) * sizeof(uint64_t) };
            qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, INLINE_ADD_U64, executed, 1);
        }
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    by_symbol = argc > 0 && !strcmp(argv[0], "symbols=on");
    score = qemu_plugin_scoreboard_new(FUNCTIONS * sizeof(uint64_t));
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
