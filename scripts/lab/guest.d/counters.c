// Counters that disagree: what the lab adds to QEMU's x86 emulation. Built into QEMU by build-qemu,
// which puts the calls of it where QEMU reads the counter and the model specific registers. Each
// CPU is emulated by one thread, the only one to touch its entry.
#include "qemu/osdep.h"

#include "cpu.h"
#include "qemu/timer.h"

enum {
  most_cpus = 64,
  msr_counter = 0x10,      // as on hardware: writing it sets this CPU's counter,
  msr_adjust = 0x3b,       // and this one shifts it
  msr_drift = 0x400000e0,  // the lab's own: parts per million. CPUs never use 40000000h to
                           // 400000ffh (Intel SDM volume 4, 2.1)
};

static struct {
  int64_t ahead;   // ticks ahead of own_counter(), drift apart
  int64_t adjust;  // what msr_adjust reads
  int64_t ppm;
  uint64_t since;  // own_counter() when the drift began
} counters[most_cpus];

static uint64_t started;  // the host's counter

// CLOCKSHIM_LAB_OFFSET=C,C,...: ticks that CPU 0, 1, ... is ahead from the start
__attribute__((constructor)) static void read_offsets(void) {
  started = (uint64_t)cpu_get_host_ticks();
  const char* text = getenv("CLOCKSHIM_LAB_OFFSET");
  for (int cpu = 0; text && cpu < most_cpus; ++cpu) {
    char* end;
    counters[cpu].ahead = strtoll(text, &end, 10);
    text = *end == ',' ? end + 1 : NULL;
  }
}

static int index_of(CPUX86State* env) { return env_cpu(env)->cpu_index % most_cpus; }

// Not QEMU's own (cpu_get_tsc()), which all CPUs share behind a lock: whoever reads a little less
// there than the last one did moves all of it ahead for good. Where two CPUs read it all the time,
// it gained 3.5 %. The fence is for guests that have one before their rdtsc: of theirs nothing is
// left here.
static uint64_t own_counter(CPUX86State* env) {
  asm volatile("lfence" : : : "memory");
  return (uint64_t)cpu_get_host_ticks() - started + env->tsc_offset;
}

static int64_t drifted(int cpu, uint64_t now) {
  return (__int128)(int64_t)(now - counters[cpu].since) * counters[cpu].ppm / 1000000;
}

uint64_t lab_counter(CPUX86State* env) {
  const int cpu = index_of(env);
  const uint64_t now = own_counter(env);
  return now + counters[cpu].ahead + drifted(cpu, now);
}

static void shift(int cpu, int64_t ticks) {
  counters[cpu].ahead += ticks;
  counters[cpu].adjust += ticks;
}

bool lab_write_register(CPUX86State* env, uint32_t number, uint64_t value) {
  const int cpu = index_of(env);
  const uint64_t now = own_counter(env);
  switch (number) {
    case msr_counter: shift(cpu, value - lab_counter(env)); return true;
    case msr_adjust: shift(cpu, value - counters[cpu].adjust); return true;
    case msr_drift:  // the counter goes on from where it is
      counters[cpu].ahead += drifted(cpu, now);
      counters[cpu].since = now;
      counters[cpu].ppm = value;
      return true;
    default: return false;
  }
}

bool lab_read_register(CPUX86State* env, uint32_t number, uint64_t* value) {
  const int cpu = index_of(env);
  switch (number) {
    case msr_counter: *value = lab_counter(env); return true;
    case msr_adjust: *value = counters[cpu].adjust; return true;
    case msr_drift: *value = counters[cpu].ppm; return true;
    default: return false;
  }
}
