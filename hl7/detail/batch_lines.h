#pragma once
// The lines of a batch file one by one: where messages and envelope segments begin and end, and whether the
// counts agree. Knows nothing of where the bytes come from, so that a file in memory and a stream are read
// the same way.

#include <cstdint>
#include <string_view>
#include <vector>

#include "hl7/batch.h"

namespace kiln::hl7::detail {

class BatchLines {
 public:
  enum class Kind : std::uint8_t { message, envelope, noise, problem };
  /// Offsets are those of the whole file.
  struct Found {
    Kind kind;
    std::uint64_t begin = 0, end = 0;
    Delimiters delimiters;  ///< of the nearest FHS or BHS, or of the message
    const char* problem = nullptr;
    base::ErrorCode code = base::ErrorCode::bad_batch;  ///< of a problem
    bool miscount = false;  ///< of a problem: a trailer counts otherwise
  };

  /// The bytes from `base` on, which must reach back to keep_from().
  void set_window(std::string_view window, std::uint64_t base) {
    window_ = window;
    base_ = base;
  }
  /// The line [begin, end) without its line end.
  void line(std::uint64_t begin, std::uint64_t end);
  void finish(std::uint64_t end);
  /// What was found since it was asked last.
  std::vector<Found> take() { return std::exchange(found_, {}); }

  /// Start of what is not known to be complete; `line` when nothing is open.
  std::uint64_t keep_from(std::uint64_t line) const {
    return in_message_ ? message_ : noise_open_ ? noise_ : line;
  }
  bool in_message() const { return in_message_; }
  bool in_noise() const { return noise_open_; }
  /// What is open, or else the line at `line`, is too long to be kept: a message counts, but is not handed
  /// out, and what follows up to the next header or trailer belongs to it.
  void give_up(std::uint64_t line);
  /// Hands out the noise up to here; more may follow.
  void flush_noise(std::uint64_t end) { end_noise(end); }

 private:
  enum class LineKind : std::uint8_t {
    message_header,
    file_header,
    batch_header,
    batch_trailer,
    file_trailer,
    other
  };

  std::string_view text(std::uint64_t begin, std::uint64_t end) const {
    return window_.substr(begin - base_, end - begin);
  }
  LineKind kind_of(std::string_view text) const;
  void start(LineKind kind, std::uint64_t begin, std::uint64_t end);
  void start_batch(std::uint64_t begin);
  void end_batch(std::uint64_t begin, std::uint64_t end);
  void check_count(std::uint64_t begin, std::uint64_t end, std::uint64_t count, const char* problem);
  void problem(const char* what, std::uint64_t offset, base::ErrorCode code = base::ErrorCode::bad_batch);
  void read_delimiters_of(std::string_view line);
  void end_message(std::uint64_t end);
  void end_noise(std::uint64_t end);

  std::string_view window_;
  std::uint64_t base_ = 0;
  std::vector<Found> found_;
  Delimiters delimiters_;
  std::uint64_t message_ = 0, noise_ = 0;
  std::uint64_t messages_ = 0, batches_ = 0;
  std::uint64_t batch_start_ = 0;  ///< messages before the current batch
  std::size_t problems_ = 0;
  bool in_message_ = false, noise_open_ = false, given_up_ = false;
  bool has_envelope_ = false, enveloped_ = false, has_file_header_ = false, batch_open_ = false,
       file_ended_ = false;
};

}  // namespace kiln::hl7::detail
