// A process with a live file: live_program DIR NAME. Counts calls of two callers, at an even pace,
// until it is ended. Writes "ready" when its file has both. SIGUSR1: marks its end, as the library
// does. SIGUSR2: becomes sleep(1), by exec.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "live_region.h"
#include "os/process.h"

extern "C" {
__attribute__((noinline, visibility("default"))) void busy_caller() {
  asm volatile("nop; nop; nop; nop; nop; nop; nop; nop");
}
__attribute__((noinline, visibility("default"))) void rare_caller() {
  asm volatile("nop; nop; nop; nop; nop; nop; nop; nop");
}
}

namespace {

volatile std::sig_atomic_t g_asked = 0;
extern "C" void note_signal(int number) { g_asked = number; }

// The build-id of this program, out of its own note.
int read_build_id(dl_phdr_info* program, std::size_t /*size*/, void* module) {
  for (unsigned i = 0; i < program->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = program->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(program->dlpi_addr + segment.p_vaddr);
    for (const char* const end = at + segment.p_memsz; at + sizeof(ElfW(Nhdr)) <= end;) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char* const text = at + sizeof note + ((note.n_namesz + 3U) & ~3U);
      auto& record = *static_cast<clockshim::live::ModuleRecord*>(module);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz <= sizeof record.build_id) {
        std::memcpy(record.build_id, text, note.n_descsz);
        record.build_id_size = static_cast<std::uint8_t>(note.n_descsz);
      }
      at = text + ((note.n_descsz + 3U) & ~3U);
    }
  }
  return 1;  // the first is the program, and is enough
}

}  // namespace

int main(int argc, char** argv) {
  using namespace clockshim;
  if (argc != 3) return 2;
  std::signal(SIGUSR1, note_signal);
  std::signal(SIGUSR2, note_signal);
  LiveRegion region;
  live::Header& header = region->header;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  header.started = from_timespec(now).raw();
  clock_gettime(CLOCK_REALTIME, &now);
  header.started_at = from_timespec(now).raw();
  header.pid = static_cast<std::uint32_t>(getpid());
  header.pid_namespace = pid_namespace();
  header.start_ticks = process_start_ticks();
  LiveRegion::set(header.program, argv[2]);
  char executable[512] = {};
  if (readlink("/proc/self/exe", executable, sizeof executable - 1) <= 0) return 1;
  LiveRegion::set(header.executable, executable);
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&busy_caller), &info) == 0) return 1;
  const auto base = reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  const unsigned module = region.add_module("", base, base + (1U << 20));
  dl_iterate_phdr(read_build_id, &region->modules[module]);
  const SiteKey busy(reinterpret_cast<std::uintptr_t>(&busy_caller) + 4, CLOCK_MONOTONIC,
                     Function::clock_gettime);
  const SiteKey rare(reinterpret_cast<std::uintptr_t>(&rare_caller) + 4, CLOCK_REALTIME,
                     Function::gettimeofday);
  for (const SiteKey key : {busy, rare})
    region.add_site(key, {{key.raw() & 0xFFFFFFFFFFFFFF, module}});
  region.count(0, busy, 0);
  region.count(0, rare, 0);
  region->clock.accuracy.record(Nanos{1234}, Nanos{10'000});
  header.costs[CLOCK_MONOTONIC].real = 2'025'000;  // ps
  header.costs[CLOCK_MONOTONIC].served = 25'000;

  char path[512];
  std::snprintf(path, sizeof path, "%s/%d-%llx.live", argv[1], getpid(),
                static_cast<unsigned long long>(header.start_ticks));
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const auto bytes = region.bytes();
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    return 1;
  void* mapped = mmap(nullptr, bytes.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) return 1;
  auto& shared = *static_cast<live::Region*>(mapped);
  for (bool told = false;; told = true) {
    shared.threads[0].entries[0].count += 100;
    shared.threads[0].entries[1].count += 10;
    shared.clock.clocks[CLOCK_MONOTONIC].resyncs.fetch_add(1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    shared.clock.last_resync = from_timespec(now).raw();
    if (!told) {
      std::puts("ready");
      std::fflush(stdout);
    }
    if (g_asked == SIGUSR1) {
      shared.header.ended = from_timespec(now).raw();
      shared.header.state = live::State::ended;
      return 0;
    }
    if (g_asked == SIGUSR2) execlp("sleep", "sleep", "1000", static_cast<char*>(nullptr));
    const timespec millisecond{0, 1'000'000};
    nanosleep(&millisecond, nullptr);
  }
}
