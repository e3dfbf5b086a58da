// The answer to a batch: an envelope like the one that came.

#include <utility>

#include "hl7/batch.h"
#include "hl7/builder.h"

namespace kiln::hl7 {

namespace {

class BatchAckWriter {
 public:
  BatchAckWriter(std::string_view file, const Batch& batch, const std::vector<std::string>& answers,
                 const BatchAckInput& input)
      : file_(file), batch_(batch), answers_(answers), input_(input) {}

  std::string write() {
    std::size_t next = 0;
    for (std::size_t i = 0; i < batch_.envelope.size(); ++i) {
      for (; next < batch_.messages.size() && batch_.messages[next].begin < batch_.envelope[i].begin; ++next)
        answer(next);
      segment(batch_.envelope[i].of(file_), batch_.envelope_delimiters[i]);
    }
    for (; next < batch_.messages.size(); ++next) answer(next);
    end_batch();
    end_file();
    return std::move(out_);
  }

 private:
  void segment(std::string_view text, const Delimiters& delimiters) {
    const std::string_view name = text.substr(0, 3);
    if (name == "FHS") {
      end_batch();
      end_file();
      header(text, delimiters);
      in_file_ = true;
      batches_ = 0;
    } else if (name == "BHS") {
      end_batch();
      header(text, delimiters);
      in_batch_ = true;
      count_ = 0;
    } else if (name == "BTS") {
      end_batch();
    } else {
      end_batch();
      end_file();
    }
    separator_ = delimiters.field;
  }

  /// FHS and BHS have the same fields.
  void header(std::string_view text, const Delimiters& delimiters) {
    SegmentBuilder made(std::string(text.substr(0, 3)), delimiters);
    const auto source = Message::parse(std::string(text));
    if (source) {
      const SegmentView from = source->header();
      constexpr std::uint32_t kTo[] = {3, 4, 5, 6, 12}, kFrom[] = {5, 6, 3, 4, 11};
      for (std::size_t i = 0; i < 5; ++i)
        if (!from.field(kFrom[i]).raw().empty())
          static_cast<void>(made.set_raw(kTo[i], from.field(kFrom[i]).raw()));
    }
    static_cast<void>(made.set(7, input_.time.print_hl7()));
    static_cast<void>(made.set(11, input_.control_id));
    made.print(out_);
    out_ += '\r';
  }

  void answer(std::size_t index) {
    if (index >= answers_.size() || answers_[index].empty()) return;
    out_ += answers_[index];
    if (!out_.ends_with('\r')) out_ += '\r';
    ++count_;
  }

  void end_batch() {
    if (!in_batch_) return;
    if (!input_.refusal.empty() && !std::exchange(refused_, true)) {
      out_ += input_.refusal;
      ++count_;
    }
    in_batch_ = false;
    ++batches_;
    trailer("BTS", count_);
  }
  void end_file() {
    if (!in_file_) return;
    in_file_ = false;
    trailer("FTS", batches_);
  }
  void trailer(std::string_view name, std::size_t count) {
    out_.append(name).append(1, separator_).append(std::to_string(count)).append(1, '\r');
  }

  const std::string_view file_;
  const Batch& batch_;
  const std::vector<std::string>& answers_;
  const BatchAckInput& input_;
  std::string out_;
  bool in_file_ = false, in_batch_ = false, refused_ = false;
  std::size_t count_ = 0, batches_ = 0;
  char separator_ = '|';
};

}  // namespace

std::string make_batch_ack(std::string_view file, const Batch& batch, const std::vector<std::string>& answers,
                           const BatchAckInput& input) {
  return BatchAckWriter(file, batch, answers, input).write();
}

}  // namespace kiln::hl7
