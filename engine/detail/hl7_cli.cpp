#include "engine/detail/hl7_cli.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "engine/base/clock.h"
#include "engine/base/random.h"
#include "engine/base/text.h"
#include "engine/detail/input_bytes.h"

namespace kiln::engine::detail {

using base::ErrorCode;
using base::Result;

Result<Hl7File> read_hl7_file(const std::string& name) {
  if (name == "-" && ::isatty(::fileno(stdin)) != 0)
    return base::fail(ErrorCode::usage, "no FILE, and nothing is piped to standard input");
  Hl7File file;
  file.name = name;
  TRY(file.bytes, read_bytes(name));
  file.batch = hl7::split_batch(file.bytes);
  return file;
}

std::string shown_name(const std::string& file) {
  return file == "-" ? "standard input" : file;
}

std::string Hl7Item::name() const {
  const std::string shown = shown_name(file.name);
  return file.batch.messages.size() < 2 ? shown : shown + ", message " + std::to_string(number);
}

Result<hl7::ParseOptions> parse_options(const Arguments& arguments) {
  hl7::ParseOptions options;
  if (!arguments.has("--charset")) return options;
  const auto charset = hl7::Charset::find(arguments.text("--charset"));
  if (!charset)
    return base::fail(ErrorCode::unknown_charset, "unknown character set", "--charset",
                      "names are those of table 0211: kiln hl7 describe table 0211");
  options.charset_default = *charset;
  return options;
}

int report_usage(const base::Error& error, const Arguments& arguments) {
  report(error, arguments);
  return kExitUsageFile;
}

int for_each_message(const Arguments& arguments, const std::vector<std::string>& files,
                     const std::function<bool(Hl7Item&)>& visit) {
  const auto options = parse_options(arguments);
  if (!options) return report_usage(options.error(), arguments);
  int exit_code = kExitOk;
  static const std::vector<std::string> standard_input{"-"};
  for (const std::string& name : files.empty() ? standard_input : files) {
    const auto file = read_hl7_file(name);
    if (!file) {
      exit_code = report_usage(file.error(), arguments);
      continue;
    }
    if (file->batch.messages.empty()) {
      report({ErrorCode::no_header, "the file holds no message", shown_name(name), {}}, arguments);
      exit_code = std::max<int>(exit_code, kExitFound);
    }
    std::size_t number = 0;
    for (const hl7::Slice& slice : file->batch.messages) {
      Hl7Item item{*file,
                   ++number,
                   slice.begin,
                   {},
                   hl7::Message::parse(std::string(slice.of(file->bytes)), *options)};
      if (!item.message) {
        base::Error why = item.message.error();
        why.place = why.place.empty() ? item.name() : item.name() + ", " + why.place;
        report(why, arguments);
        exit_code = std::max<int>(exit_code, kExitFound);
      } else if (!visit(item)) {
        return exit_code;
      }
    }
  }
  return exit_code;
}

Result<base::PartialDate> time_of(const Arguments& arguments) {
  if (!arguments.has("--time")) return base::PartialDate::from_wall(base::SystemClock().wall());
  const auto time = base::PartialDate::parse_hl7(arguments.text("--time"));
  if (!time)
    return base::fail(ErrorCode::bad_date, "--time is no HL7 time", {}, "for example 20260818112603");
  return *time;
}

std::string random_id() {
  static base::SystemRandom random;
  std::string bytes;
  for (std::uint64_t bits = random.next(), i = 0; i < 8; ++i) bytes += static_cast<char>(bits >> (8 * i));
  return base::upper_ascii(base::hex(bytes));
}

Paint::Paint(const Arguments& arguments) {
  const std::string when = arguments.text("--color", "auto");
  on_ = when == "always" || (when == "auto" && is_terminal(stdout));
}

std::string Paint::operator()(Ink ink, std::string_view text) const {
  static constexpr const char* kCodes[] = {"1", "2", "31", "32", "33", "36"};
  if (!on_ || text.empty()) return std::string(text);
  return std::string("\x1b[") + kCodes[ink] + "m" + std::string(text) + "\x1b[0m";
}

std::string valid_text(std::string_view bytes) {
  if (base::is_valid_utf8(bytes)) return std::string(bytes);
  std::string out(bytes.size() * 3, '\0');
  out.resize(hl7::Charset::utf8().to_utf8(bytes, out.data()));
  return out;
}

std::string visible(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : valid_text(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte != 0x7F) {
      out += c;
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += '\\';
      out += c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

std::string visible(std::string_view text, std::size_t most) {
  std::string out = visible(text);
  const std::size_t characters = width(out);
  if (characters <= most) return out;
  std::size_t at = 0;
  for (std::size_t n = 0; at < out.size(); ++at)
    if ((static_cast<unsigned char>(out[at]) & 0xC0) != 0x80 && n++ == most) break;
  return out.substr(0, at) + "… (" + std::to_string(characters) + " characters)";
}

std::size_t width(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string pad(std::string text, std::size_t columns) {
  const std::size_t has = width(text);
  if (has < columns) text.append(columns - has, ' ');
  return text;
}

std::vector<std::uint32_t> segment_ids(const hl7::Message& message) {
  std::vector<std::uint32_t> ids(message.segment_count());
  for (std::uint32_t i = 0; i < ids.size(); ++i) ids[i] = message.segment(i).id();
  return ids;
}

hl7::StructureChoice structure_of(const hl7::Message& message, std::span<const std::uint32_t> segments) {
  const hl7::FieldView type = message.field("MSH", 9);
  const std::string code = type.component(1).to_text(), trigger = type.component(2).to_text(),
                    structure = type.component(3).to_text(), version = message.field("MSH", 12).to_text();
  return hl7::choose_structure({code, trigger, structure, version}, segments);
}

}  // namespace kiln::engine::detail
