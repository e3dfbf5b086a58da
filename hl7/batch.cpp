#include "hl7/batch.h"

#include <algorithm>
#include <string>

namespace kiln::hl7 {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";

bool blank(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}

enum class LineKind { message_header, file_header, batch_header, batch_trailer, file_trailer, other };

class Splitter {
 public:
  explicit Splitter(std::string_view file) : file_(file) {}

  Batch run() {
    for (std::size_t at = 0; at < file_.size();) at = line(at);
    end_message(file_.size());
    end_noise(file_.size());
    check_file_end();
    return std::move(batch_);
  }

 private:
  /// Handles the line at `begin` and returns where the next one starts.
  std::size_t line(std::size_t begin) {
    const std::size_t cut = std::min(file_.find_first_of("\r\n", begin), file_.size());
    std::size_t content = begin;
    while (content < cut && blank(file_[content])) ++content;
    if (file_.substr(content, cut - content).starts_with(kBom)) content += kBom.size();
    const std::string_view text = file_.substr(content, cut - content);
    const LineKind kind = kind_of(text);
    // Inside a message an indented header name is data of a broken segment, unless it is a frame byte that
    // indents it.
    if (kind != LineKind::other) {
      end_message(begin);
      end_noise(begin);
      start(kind, {content, cut});
    } else if (!in_message_ && !text.empty() && !noise_open_) {
      noise_ = content;
      noise_open_ = true;
    }
    return cut + 1;
  }

  LineKind kind_of(std::string_view text) const {
    if (text.size() < 4) {
      // A trailer may stand without any field.
      if (text == "BTS" && !batch_.envelope.empty()) return LineKind::batch_trailer;
      if (text == "FTS" && !batch_.envelope.empty()) return LineKind::file_trailer;
      return LineKind::other;
    }
    const std::string_view name = text.substr(0, 3);
    const bool header = name == "MSH" || name == "FHS" || name == "BHS";
    if (header && !read_delimiters(text[3], {})) return LineKind::other;
    if (name == "MSH") return LineKind::message_header;
    if (name == "FHS") return LineKind::file_header;
    if (name == "BHS") return LineKind::batch_header;
    if (text[3] != delimiters_.field) return LineKind::other;
    if (name == "BTS") return LineKind::batch_trailer;
    if (name == "FTS") return LineKind::file_trailer;
    return LineKind::other;
  }

  void start(LineKind kind, Slice line) {
    if (kind == LineKind::message_header) {
      message_ = line.begin;
      in_message_ = true;
      if (!enveloped_) read_line_delimiters(line);
      return;
    }
    if (kind == LineKind::file_header || kind == LineKind::batch_header) {
      enveloped_ = true;
      read_line_delimiters(line);
    }
    batch_.envelope.push_back(line);
    batch_.envelope_delimiters.push_back(delimiters_);
    switch (kind) {
      case LineKind::file_header:
        has_file_header_ = true;
        break;
      case LineKind::batch_header:
        if (batch_open_) problem("a batch starts before the one before it ended", line.begin);
        batch_open_ = true;
        ++batches_;
        batch_start_ = batch_.messages.size();
        break;
      case LineKind::batch_trailer:
        end_batch(line);
        break;
      case LineKind::file_trailer:
        check_count(line, batches_, "FTS-1 does not agree with the number of batches");
        file_ended_ = true;
        break;
      default:
        break;
    }
  }

  void end_batch(Slice line) {
    check_count(line, batch_.messages.size() - batch_start_,
                "BTS-1 does not agree with the number of messages");
    batch_open_ = false;
    if (batches_ == 0) ++batches_;
    batch_start_ = batch_.messages.size();
  }

  void check_count(Slice line, std::size_t count, const char* text) {
    ParseOptions options;
    options.headerless = delimiters_;
    const auto trailer = Message::parse(std::string(line.of(file_)), options);
    if (!trailer) return;
    std::string buffer;
    const std::string_view stated = trailer->segment(0).field(1).text(buffer);
    if (stated.empty()) return;
    std::size_t number = 0;
    for (const char c : stated.substr(0, 12)) {
      if (c < '0' || c > '9') {
        problem("the count of a trailer is not a number", line.begin);
        return;
      }
      number = number * 10 + static_cast<std::size_t>(c - '0');
    }
    if (number != count) problem(text, line.begin);
  }

  void check_file_end() {
    if (batch_open_) problem("the last batch has no BTS", file_.size());
    if (has_file_header_ && !file_ended_) problem("the file has no FTS", file_.size());
  }

  void problem(const char* text, std::size_t offset) {
    if (batch_.problems.size() >= base::limits::kParseDiagnosticsMax) return;
    batch_.problems.push_back({base::ErrorCode::bad_batch, text, "byte " + std::to_string(offset), {}});
  }

  void read_line_delimiters(Slice line) {
    const std::string_view text = line.of(file_);
    const std::size_t end = std::min(text.find(text[3], 4), text.size());
    if (const auto read = read_delimiters(text[3], text.substr(4, end - 4))) delimiters_ = read->delimiters;
  }

  void end_message(std::size_t end) {
    if (!in_message_) return;
    // Frame bytes and white space before the next header belong to nobody, but the last line end is the
    // message's.
    std::size_t last = end;
    while (last > message_ && blank(file_[last - 1])) --last;
    if (last < end && file_[last] == '\r') ++last;
    if (last < end && file_[last] == '\n') ++last;
    batch_.messages.push_back({message_, last});
    in_message_ = false;
  }

  void end_noise(std::size_t end) {
    if (!noise_open_) return;
    while (end > noise_ && blank(file_[end - 1])) --end;
    batch_.noise.push_back({noise_, end});
    noise_open_ = false;
  }

  std::string_view file_;
  Batch batch_;
  Delimiters delimiters_;
  std::size_t message_ = 0, noise_ = 0;
  std::size_t batches_ = 0;
  std::size_t batch_start_ = 0;  ///< messages before the current batch
  bool in_message_ = false, noise_open_ = false;
  bool enveloped_ = false, has_file_header_ = false, batch_open_ = false, file_ended_ = false;
};

}  // namespace

Batch split_batch(std::string_view file) {
  return Splitter(file).run();
}

}  // namespace kiln::hl7
