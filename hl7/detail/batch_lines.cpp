#include "hl7/detail/batch_lines.h"

#include <algorithm>
#include <string>

#include "engine/base/limits.h"

namespace kiln::hl7::detail {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";

bool blank(char c) {
  return static_cast<unsigned char>(c) <= ' ';
}

}  // namespace

void BatchLines::line(std::uint64_t begin, std::uint64_t end) {
  const std::string_view whole = text(begin, end);
  std::size_t content = 0;
  while (content < whole.size() && blank(whole[content])) ++content;
  if (whole.substr(content).starts_with(kBom)) content += kBom.size();
  const std::string_view inner = whole.substr(content);
  const LineKind kind = kind_of(inner);
  // Inside a message an indented header name is data of a broken segment, unless it is a frame byte that
  // indents it.
  if (kind != LineKind::other) {
    end_message(begin);
    end_noise(begin);
    given_up_ = false;
    start(kind, begin + content, end);
  } else if (!in_message_ && !given_up_ && !inner.empty() && !noise_open_) {
    noise_ = begin + content;
    noise_open_ = true;
  }
}

void BatchLines::finish(std::uint64_t end) {
  end_message(end);
  end_noise(end);
  if (batch_open_) problem("the last batch has no BTS", end);
  if (has_file_header_ && !file_ended_) problem("the file has no FTS", end);
}

BatchLines::LineKind BatchLines::kind_of(std::string_view line) const {
  if (line.size() < 4) {
    // A trailer may stand without any field.
    if (line == "BTS" && has_envelope_) return LineKind::batch_trailer;
    if (line == "FTS" && has_envelope_) return LineKind::file_trailer;
    return LineKind::other;
  }
  const std::string_view name = line.substr(0, 3);
  const bool header = name == "MSH" || name == "FHS" || name == "BHS";
  if (header && !read_delimiters(line[3], {})) return LineKind::other;
  if (name == "MSH") return LineKind::message_header;
  if (name == "FHS") return LineKind::file_header;
  if (name == "BHS") return LineKind::batch_header;
  if (line[3] != delimiters_.field) return LineKind::other;
  if (name == "BTS") return LineKind::batch_trailer;
  if (name == "FTS") return LineKind::file_trailer;
  return LineKind::other;
}

void BatchLines::start(LineKind kind, std::uint64_t begin, std::uint64_t end) {
  const std::string_view line = text(begin, end);
  if (kind == LineKind::message_header) {
    message_ = begin;
    in_message_ = true;
    ++messages_;
    if (!enveloped_) read_delimiters_of(line);
    return;
  }
  if (kind == LineKind::file_header || kind == LineKind::batch_header) {
    enveloped_ = true;
    read_delimiters_of(line);
  }
  has_envelope_ = true;
  found_.push_back({Kind::envelope, begin, end, delimiters_});
  if (kind == LineKind::file_header) has_file_header_ = true;
  if (kind == LineKind::batch_header) start_batch(begin);
  if (kind == LineKind::batch_trailer) end_batch(begin, end);
  if (kind == LineKind::file_trailer) {
    check_count(begin, end, batches_, "FTS-1 does not agree with the number of batches");
    file_ended_ = true;
  }
}

void BatchLines::start_batch(std::uint64_t begin) {
  if (batch_open_) problem("a batch starts before the one before it ended", begin);
  batch_open_ = true;
  ++batches_;
  batch_start_ = messages_;
}

void BatchLines::end_batch(std::uint64_t begin, std::uint64_t end) {
  check_count(begin, end, messages_ - batch_start_, "BTS-1 does not agree with the number of messages");
  batch_open_ = false;
  if (batches_ == 0) ++batches_;
  batch_start_ = messages_;
}

void BatchLines::check_count(std::uint64_t begin, std::uint64_t end, std::uint64_t count, const char* what) {
  ParseOptions options;
  options.headerless = delimiters_;
  const auto trailer = Message::parse(std::string(text(begin, end)), options);
  if (!trailer) return;
  std::string buffer;
  const std::string_view stated = trailer->segment(0).field(1).text(buffer);
  if (stated.empty()) return;
  std::uint64_t number = 0;
  for (const char c : stated.substr(0, 12)) {
    if (c < '0' || c > '9') {
      problem("the count of a trailer is not a number", begin);
      return;
    }
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (number == count) return;
  const std::size_t had = found_.size();
  problem(what, begin);
  if (found_.size() > had) found_.back().miscount = true;
}

void BatchLines::problem(const char* what, std::uint64_t offset, base::ErrorCode code) {
  if (problems_++ < base::limits::kParseDiagnosticsMax)
    found_.push_back({Kind::problem, offset, offset, delimiters_, what, code});
}

void BatchLines::read_delimiters_of(std::string_view line) {
  const std::size_t end = std::min(line.find(line[3], 4), line.size());
  if (const auto read = read_delimiters(line[3], line.substr(4, end - 4))) delimiters_ = read->delimiters;
}

void BatchLines::end_message(std::uint64_t end) {
  if (!in_message_) return;
  // Frame bytes and white space before the next header belong to nobody, but the last line end is the
  // message's.
  const std::string_view bytes = text(message_, end);
  std::size_t last = bytes.size();
  while (last > 0 && blank(bytes[last - 1])) --last;
  if (last < bytes.size() && bytes[last] == '\r') ++last;
  if (last < bytes.size() && bytes[last] == '\n') ++last;
  found_.push_back({Kind::message, message_, message_ + last, delimiters_});
  in_message_ = false;
}

void BatchLines::end_noise(std::uint64_t end) {
  if (!noise_open_) return;
  std::string_view bytes = text(noise_, end);
  while (!bytes.empty() && blank(bytes.back())) bytes.remove_suffix(1);
  found_.push_back({Kind::noise, noise_, noise_ + bytes.size(), delimiters_});
  noise_open_ = false;
}

void BatchLines::give_up(std::uint64_t line) {
  const char* const what =
      in_message_ ? "a message has more bytes than allowed" : "a line has more bytes than allowed";
  problem(what, keep_from(line), base::ErrorCode::limit_exceeded);
  in_message_ = noise_open_ = false;
  given_up_ = true;
}

}  // namespace kiln::hl7::detail
