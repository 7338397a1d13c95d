// Shows what is being done, on one line of a terminal that disappears afterwards. Shows nothing if
// standard error is no terminal.
#pragma once

#include <string>

namespace clockshim::cli {

class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& what);

 private:
  bool on_;
  bool shown_ = false;
};

}  // namespace clockshim::cli
