#pragma once
// What the verbs of `kiln hl7` share: inputs, colour, and how messages are shown.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/partial_date.h"
#include "engine/command.h"
#include "hl7/batch.h"
#include "hl7/message.h"
#include "hl7/structure.h"

namespace kiln::engine::detail {

inline constexpr OptionSpec kColorOption{"--color", "WHEN", "auto (a terminal), always or never"};
inline constexpr OptionSpec kCharsetOption{"--charset", "NAME",
                                           "character set of messages whose MSH-18 is empty (default ASCII)"};
inline constexpr ArgumentSpec kFilesArgument{
    "FILE", "HL7 v2 files, also batches; none or - reads standard input", false, true};

/// "standard input" for "-".
std::string shown_name(const std::string& file);

/// One input in memory.
struct Hl7File {
  std::string name;  ///< as given; "-" is standard input
  std::string bytes;
  hl7::Batch batch;
};
/// Error: of reading, and when `name` is "-" and standard input is a terminal.
base::Result<Hl7File> read_hl7_file(const std::string& name);

/// One message of a file. `offset` is where it starts there.
struct Hl7Item {
  const Hl7File& file;
  std::size_t number;  ///< from 1 in its file
  std::size_t offset;
  std::string bytes;  ///< of the message; empty when `message` took them
  base::Result<hl7::Message> message;

  /// "adt.hl7", or "adt.hl7, message 3" when the file has several.
  std::string name() const;
};

/// How messages are to be read, from --charset. Error: unknown_charset.
base::Result<hl7::ParseOptions> parse_options(const Arguments& arguments);

/// Every message of every file (standard input when there are none), one file in memory at a time. What
/// cannot be read is reported to stderr and the rest goes on. Returns the exit code so far: kExitOk;
/// kExitFound when a file has no message or one cannot be parsed; kExitUsageFile when a file cannot be read.
/// The visitor returns false to stop.
int for_each_message(const Arguments& arguments, const std::vector<std::string>& files,
                     const std::function<bool(Hl7Item&)>& visit);

/// As report(), with the exit code of verbs that only read files.
int report_usage(const base::Error& error, const Arguments& arguments);

inline constexpr OptionSpec kTimeOption{"--time", "YYYYMMDDHHMMSS", "time of what is made (default: now)"};
/// The time of --time or now. Error bad_date.
base::Result<base::PartialDate> time_of(const Arguments& arguments);
/// 16 hexadecimal digits, new with every call.
std::string random_id();

/// Colours of a terminal; writes nothing of its own when colour is off.
class Paint {
 public:
  enum Ink : std::uint8_t { bold, dim, red, green, yellow, cyan };
  /// By --color, NO_COLOR and whether stdout is a terminal.
  explicit Paint(const Arguments& arguments);
  bool on() const { return on_; }
  std::string operator()(Ink ink, std::string_view text) const;

 private:
  bool on_;
};

/// UTF-8 for people and JSON: bytes that are none become U+FFFD.
std::string valid_text(std::string_view bytes);
/// On one line: control characters as \n, \r, \t or \x1B.
std::string visible(std::string_view text);
/// The same, cut after `most` characters with a note of how many there were.
std::string visible(std::string_view text, std::size_t most);
/// Columns a text takes: code points.
std::size_t width(std::string_view utf8);
/// Padded with spaces to at least that many columns.
std::string pad(std::string text, std::size_t columns);

/// Packed names of the segments, in order.
std::vector<std::uint32_t> segment_ids(const hl7::Message& message);
/// What MSH-9 and MSH-12 say, or a choice without structure when there is no MSH.
hl7::StructureChoice structure_of(const hl7::Message& message, std::span<const std::uint32_t> segments);

/// Members of one message: delimiters, structure, segments, diagnostics; with `groups`, its group tree. The
/// writer is inside an object. `offset` is added to all offsets.
void write_message(base::JsonWriter& json, const hl7::Message& message, std::size_t offset, bool groups);
/// {"id","offset","fields":[[[[leaf]]]]}
void write_segment(base::JsonWriter& json, const hl7::SegmentView& segment, std::size_t offset);

/// The FHS, BHS, BTS and FTS segments of a file as a JSON array of segments.
std::string envelope_json(const Hl7File& file);

}  // namespace kiln::engine::detail
