/* Functions of macOS that the model of its libSystem may lack; `.ci/machorun` adds them after the model's own. */
#include <sys/resource.h>

static unsigned our_alarm(unsigned seconds) { trace("alarm %u", seconds); return alarm(seconds); }
static int our_getppid(void) { return getppid(); }
static unsigned our_getgid(void) { return getgid(); }
static int our_raise(int signal) { trace("raise %d", signal); return RESULT(raise(to_linux(signal))); }
static int our_sigpending(unsigned *set) {
    sigset_t pending;
    int result = RESULT(sigpending(&pending));
    if (!result) *set = set_from_linux(&pending);
    return result;
}

/* In the order of macOS's numbers: CPU, FSIZE, DATA, STACK, CORE, AS, MEMLOCK, NPROC, NOFILE. */
static const int our_limits[] = { RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_AS, RLIMIT_MEMLOCK,
    RLIMIT_NPROC, RLIMIT_NOFILE };
#define OUR_INFINITY ((1ull << 63) - 1)
struct our_rlimit { unsigned long long soft, hard; };
/* Memory limits are stored but not enforced, because the loader needs address space, too. */
static struct our_rlimit our_memory[sizeof our_limits / sizeof *our_limits];
static int our_is_memory(int linux_number) { return linux_number == RLIMIT_DATA || linux_number == RLIMIT_AS; }
static unsigned long long our_from_linux(rlim_t limit) { return limit == RLIM_INFINITY ? OUR_INFINITY : limit; }
static rlim_t our_to_linux(unsigned long long limit) { return limit >= OUR_INFINITY ? RLIM_INFINITY : limit; }
static int our_getrlimit(int number, struct our_rlimit *out) {
    if (number < 0 || number >= (int)(sizeof our_limits / sizeof *our_limits)) return refuse(22);
    if (our_memory[number].hard) { *out = our_memory[number]; return 0; }
    struct rlimit limit;
    int result = RESULT(getrlimit(our_limits[number], &limit));
    if (!result) *out = (struct our_rlimit){ our_from_linux(limit.rlim_cur), our_from_linux(limit.rlim_max) };
    return result;
}
static int our_setrlimit(int number, const struct our_rlimit *new) {
    if (number < 0 || number >= (int)(sizeof our_limits / sizeof *our_limits) || new->soft > new->hard) return refuse(22);
    trace("setrlimit %d %llu %llu", number, new->soft, new->hard);
    if (our_is_memory(our_limits[number])) { our_memory[number] = *new; return 0; }
    struct rlimit limit = { our_to_linux(new->soft), our_to_linux(new->hard) };
    return RESULT(setrlimit(our_limits[number], &limit));
}

#define OURS F("_alarm", our_alarm), F("_getppid", our_getppid), F("_getgid", our_getgid), F("_raise", our_raise), \
    F("_sigpending", our_sigpending), F("_getrlimit", our_getrlimit), F("_setrlimit", our_setrlimit),
