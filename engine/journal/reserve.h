#pragma once
// A file that takes up space while there is some, and gives it back when the disk is full: for what must still be recorded then
// (reliability.md S7). One thread.

#include <cstdint>
#include <string>

namespace kiln::engine {

class Reserve {
 public:
  Reserve() = default;  ///< none: it is never released
  /// Takes it at once where there is space. On a small disk it is an eighth of what is free; while that is below 1 MB there is none,
  /// and a file below 1 MB that is found counts as none.
  Reserve(std::string path, std::uint64_t bytes);
  /// The file stays: the next start has it.
  bool is_held() const { return held_; }
  /// True from release() until take() had success: nothing new may be taken from senders.
  bool is_released() const { return released_; }
  /// Gives the space back. False when there is none to give.
  bool release();
  /// Takes it again when the disk has room for it and some more; also one for which there was no space at first.
  bool take();
  bool is_wanted() const { return wanted_ > 0; }

 private:
  std::string path_;
  std::uint64_t wanted_ = 0;
  std::uint64_t bytes_ = 0;  ///< of the file; 0: there was no space for one
  bool held_ = false, released_ = false;
};

}  // namespace kiln::engine
