// kiln hl7 roundtrip: parses into the full model, writes it again and says whether a byte changed.

#include <cstdio>

#include "engine/detail/hl7_cli.h"

namespace kiln::engine {
namespace {

using detail::Hl7Item;

/// A field from its repetitions, components and subcomponents.
void write_field(const hl7::FieldView& field, const hl7::Delimiters& d, std::string& out) {
  if (field.verbatim()) {
    out += field.raw();
    return;
  }
  char before = '\0';
  for (const hl7::RepetitionView repetition : field.repetitions()) {
    if (before != '\0') out += d.repetition;
    before = d.repetition;
    bool first_component = true;
    for (const hl7::ComponentView component : repetition.components()) {
      if (!first_component) out += d.component;
      first_component = false;
      bool first_sub = true;
      for (const hl7::LeafView leaf : component.subs()) {
        if (!first_sub) out += d.subcomponent;
        first_sub = false;
        out += leaf.raw();
      }
    }
  }
}

void write_segment(const hl7::SegmentView& segment, const hl7::Delimiters& d, std::string& out) {
  out += segment.name();
  const bool header = segment.field(1).verbatim();
  for (std::uint32_t n = 1; n <= segment.field_count(); ++n) {
    if (!header || n > 2) out += d.field;
    write_field(segment.field(n), d, out);
  }
}

/// The message from its model; what lies between the segments (line ends, blank lines) as it was.
std::string encode(const hl7::Message& message) {
  std::string out;
  std::size_t at = 0;
  const std::string& bytes = message.bytes();
  for (std::uint32_t i = 0; i < message.segment_count(); ++i) {
    const hl7::SegmentView segment = message.segment(i);
    out.append(bytes, at, segment.offset() - at);
    write_segment(segment, message.delimiters(), out);
    at = segment.offset() + segment.raw().size();
  }
  return out.append(bytes, at);
}

int run(const Arguments& arguments) {
  const bool check = arguments.has("--check");
  std::size_t messages = 0, changed = 0;
  const detail::Hl7File* file = nullptr;
  std::size_t copied = 0;
  int exit_code = kExitOk;
  std::vector<std::string> files = arguments.all("FILE");
  if (files.empty()) files.push_back("-");
  for (const std::string& name : files) {
    std::string rest;
    exit_code = std::max(exit_code, detail::for_each_message(arguments, {name}, [&](Hl7Item& item) {
                           if (item.number == 1 || file != &item.file) {
                             file = &item.file;
                             copied = 0;
                           }
                           const std::string again = encode(*item.message);
                           ++messages;
                           if (again != item.message->bytes()) {
                             ++changed;
                             std::fprintf(stderr, "kiln: %s: the bytes differ\n", item.name().c_str());
                           }
                           const hl7::Slice slice = item.file.batch.messages[item.number - 1];
                           if (!check) {
                             print(std::string_view(item.file.bytes).substr(copied, slice.begin - copied));
                             // A message that was converted to be split is written in its own character set.
                             print(again == item.message->bytes() ? item.message->original() : again);
                             rest = item.file.bytes.substr(slice.end);
                           }
                           copied = slice.end;
                           return true;
                         }));
    print(rest);
  }
  if (check && arguments.json())
    print("{\"messages\":" + std::to_string(messages) + ",\"changed\":" + std::to_string(changed) + "}\n");
  else if (check)
    print(std::to_string(messages) + " messages, " + std::to_string(changed) + " changed\n");
  return changed != 0 ? std::max<int>(exit_code, kExitFound) : exit_code;
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {{"--check", nullptr, "write no message, only how many changed"},
                                   detail::kCharsetOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 roundtrip a01.hl7 | cmp - a01.hl7", "proof that nothing is lost"},
    {"kiln hl7 roundtrip --check archive/*.hl7", "the same for many files: exit 1 when a byte changed"}};

}  // namespace

const CommandSpec& hl7_roundtrip_spec() {
  static const CommandSpec spec{
      "hl7 roundtrip",
      "Files",
      "read into the full model and write again, byte for byte",
      "Everything outside of messages (envelope, blank lines, noise) is written as it was. Exit 1 when a\n"
      "byte changed or a message cannot be parsed, 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
