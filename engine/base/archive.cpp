#include "engine/base/archive.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace kiln::base {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kChunk = 256 * 1024;

/// Inflates in chunks: the archive is never in memory as a whole.
class GzipStream {
 public:
  explicit GzipStream(std::string_view input) : input_(input) {}
  ~GzipStream() {
    if (open_) inflateEnd(&stream_);
  }
  GzipStream(const GzipStream&) = delete;
  GzipStream& operator=(const GzipStream&) = delete;

  /// Appends up to `wanted` bytes to `out`; fewer only at the end of the stream.
  Status read(std::string& out, std::size_t wanted) {
    while (wanted > 0 && !done_) {
      if (!open_) TRY_VOID(start());
      const std::size_t before = out.size();
      const std::size_t step = std::min(wanted, kChunk);
      out.resize(before + step);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = static_cast<uInt>(step);
      feed();
      const int code = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t produced = step - stream_.avail_out;
      out.resize(before + produced);
      wanted -= produced;
      if (code == Z_STREAM_END) {
        finish_member();
      } else if (code != Z_OK || (produced == 0 && stream_.avail_in == 0 && position_ == input_.size())) {
        return fail(ErrorCode::bad_archive, "the compressed data is damaged or cut off");
      }
    }
    return {};
  }

 private:
  Status start() {
    stream_ = {};
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) return fail(ErrorCode::internal, "zlib could not start");
    open_ = true;
    return {};
  }
  void feed() {
    if (stream_.avail_in > 0) return;
    const std::size_t left =
        std::min<std::size_t>(input_.size() - position_, std::numeric_limits<uInt>::max());
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input_.data() + position_));
    stream_.avail_in = static_cast<uInt>(left);
    position_ += left;
  }
  void finish_member() {
    position_ -= stream_.avail_in;
    inflateEnd(&stream_);
    open_ = false;
    done_ = position_ == input_.size();
  }

  std::string_view input_;
  std::size_t position_ = 0;
  z_stream stream_{};
  bool open_ = false;
  bool done_ = false;
};

std::string_view text_field(std::string_view field) {
  return field.substr(0, field.find('\0'));
}

/// Octal digits, or base 256 when the first byte says so (GNU, for large files).
bool parse_number(std::string_view field, std::uint64_t& value) {
  value = 0;
  if (static_cast<unsigned char>(field[0]) & 0x80) {
    for (std::size_t i = field.size() - 8; i < field.size(); ++i) {
      value = (value << 8) | static_cast<unsigned char>(field[i]);
    }
    return true;
  }
  for (char c : field) {
    if (c == ' ' || c == '\0') continue;
    if (c < '0' || c > '7') return false;
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return true;
}

bool checksum_is_right(std::string_view header) {
  std::uint64_t stored = 0;
  if (!parse_number(header.substr(148, 8), stored)) return false;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    sum += (i >= 148 && i < 156) ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return sum == stored;
}

bool is_safe_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != std::string_view::npos) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    if (name.substr(begin, end - begin) == "..") return false;
    begin = end + 1;
  }
  return true;
}

/// Value of a key in pax records "LENGTH KEY=VALUE\n"; empty when absent.
std::string pax_value(std::string_view records, std::string_view key) {
  std::string found;
  while (!records.empty()) {
    std::size_t length = 0, digits = 0;
    while (digits < records.size() && digits < 9 && records[digits] >= '0' && records[digits] <= '9') {
      length = length * 10 + static_cast<std::size_t>(records[digits++] - '0');
    }
    if (length <= digits + 1 || length > records.size()) break;
    const std::string_view record = records.substr(digits + 1, length - digits - 2);
    const std::size_t equals = record.find('=');
    if (equals != std::string_view::npos && record.substr(0, equals) == key)
      found = record.substr(equals + 1);
    records.remove_prefix(length);
  }
  return found;
}

class TarReader {
 public:
  TarReader(std::string_view bytes, const ArchiveVisitor& visit, const ArchiveLimits& limits)
      : stream_(bytes), visit_(visit), limits_(limits) {}

  Status run() {
    while (true) {
      block_.clear();
      TRY_VOID(stream_.read(block_, kBlock));
      if (block_.size() < kBlock) {
        // A tar stream should end with two zero blocks; one that simply stops between files is accepted.
        if (block_.empty()) return {};
        return fail(ErrorCode::bad_archive, "the archive is cut off");
      }
      if (block_.find_first_not_of('\0') == std::string::npos) return {};
      TRY_VOID(read_entry());
    }
  }

 private:
  Status read_entry() {
    const std::string_view header = block_;
    std::uint64_t size = 0;
    if (!checksum_is_right(header) || !parse_number(header.substr(124, 12), size)) {
      return fail(ErrorCode::bad_archive, "an archive header is damaged");
    }
    const char kind = header[156];
    std::string name(text_field(header.substr(0, 100)));
    if (header.substr(257, 5) == "ustar" && header[345] != '\0') {
      name = std::string(text_field(header.substr(345, 155))) + "/" + name;
    }
    TRY_VOID(read_content(size));
    if (kind == 'L') {
      long_name_ = text_field(content_);
    } else if (kind == 'x') {
      if (const std::string path = pax_value(content_, "path"); !path.empty()) long_name_ = path;
    } else if (kind != 'g') {
      if (!long_name_.empty()) name = std::move(long_name_);
      long_name_.clear();
      if (kind == '0' || kind == '\0' || kind == '7') return visit_file(name);
    }
    return {};
  }

  Status visit_file(const std::string& name) {
    if (!is_safe_name(name)) return fail(ErrorCode::bad_archive, "the archive holds an unsafe file name");
    return visit_(name, content_);
  }

  Status read_content(std::uint64_t size) {
    total_ += std::min(size, limits_.unpacked_bytes);
    if (size > limits_.file_bytes || total_ > limits_.unpacked_bytes) {
      return fail(ErrorCode::limit_exceeded, "the archive unpacks to more than is allowed");
    }
    content_.clear();
    TRY_VOID(stream_.read(content_, size));
    if (content_.size() < size) return fail(ErrorCode::bad_archive, "the archive is cut off");
    block_.clear();
    return stream_.read(block_, (kBlock - size % kBlock) % kBlock);
  }

  GzipStream stream_;
  const ArchiveVisitor& visit_;
  ArchiveLimits limits_;
  std::string block_, content_, long_name_;
  std::uint64_t total_ = 0;
};

}  // namespace

Status read_tgz(std::string_view bytes, const ArchiveVisitor& visit, const ArchiveLimits& limits) {
  return TarReader(bytes, visit, limits).run();
}

Result<std::string> gunzip(std::string_view bytes, std::uint64_t max_bytes) {
  GzipStream stream(bytes);
  std::string out;
  TRY_VOID(stream.read(out, max_bytes + 1));
  if (out.size() > max_bytes)
    return fail(ErrorCode::limit_exceeded, "the data unpacks to more than is allowed");
  return out;
}

}  // namespace kiln::base
