/* The clock of a host, for a process that is started with LD_PRELOAD: the file named by HOST_CLOCK has the seconds by
 * which it is wrong. The monotonic clock is true.
 *
 * libfaketime cannot be had here: it takes a lock in each look at the clock, so that the child of a process with
 * threads, such as the horse of a worker, may wait for ever; and Python cannot sleep below it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int *file;
static const char *known;

/* The seconds. The variable may be set after the start, by a process that was forked. */
static int wrong_by(void) {
  const char *name = getenv("HOST_CLOCK");
  if (!name) return 0;
  if (name != known) {
    int descriptor = open(name, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    void *mapped = mmap(NULL, sizeof(int), PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (mapped == MAP_FAILED) return 0;
    file = mapped;
    known = name;
  }
  return *file;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += wrong_by();
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int failed = syscall(SYS_gettimeofday, now, zone);
  if (!failed) now->tv_sec += wrong_by();
  return failed;
}

time_t time(time_t *kept) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (kept) *kept = now.tv_sec;
  return now.tv_sec;
}
