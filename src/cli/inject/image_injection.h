// Gets the image (image/contract.h) into a program that `clockshim run` has started, which takes no
// preload (a static one, Go's, or one of musl), or is not to have one. The process stands still
// where it begins, so that hardly anybody has asked for the time yet.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "os/settings.h"

namespace clockshim::cli {

class SharedRegion;
class Tracee;

class ImageInjection {
 public:
  // `settings` are those that the program is to be served by.
  explicit ImageInjection(Settings settings);
  ~ImageInjection();

  // Puts the image into the process, which must stand still as Child::start() has it, and lets it
  // run. Returns "", or why it runs without: then it is as it was. Where it
  // was killed meanwhile, mode() stays empty.
  [[nodiscard]] std::string inject(pid_t pid);

  // The mode that the process was started in, and why; "": it has no image.
  [[nodiscard]] const std::string& mode() const { return mode_; }
  [[nodiscard]] const std::string& mode_reason() const { return mode_reason_; }
  // Why its counts can't be told; "": they can.
  [[nodiscard]] const std::string& uncounted() const { return uncounted_; }

  // `orderly` says that its report is complete: no signal has killed it.
  void process_has_ended(bool orderly);

 private:
  std::string put_into(pid_t pid, Tracee& process);

  Settings settings_;
  std::unique_ptr<SharedRegion> region_;
  std::string mode_;
  std::string mode_reason_;
  std::string uncounted_;
};

}  // namespace clockshim::cli
