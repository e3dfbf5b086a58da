// kiln hl7 diff: what differs between the messages of two files, by path.

#include "hl7/diff.h"

#include <algorithm>
#include <map>

#include "engine/detail/hl7_cli.h"

namespace kiln::engine {
namespace {

using detail::Paint;

struct Loaded {
  detail::Hl7File file;
  std::vector<hl7::Message> messages;
};

base::Result<Loaded> load(const std::string& name, const hl7::ParseOptions& options) {
  Loaded out;
  TRY(out.file, detail::read_hl7_file(name));
  for (const hl7::Slice& slice : out.file.batch.messages) {
    TRY(auto message, hl7::Message::parse(std::string(slice.of(out.file.bytes)), options));
    out.messages.push_back(std::move(message));
  }
  if (out.messages.empty()) return base::fail(base::ErrorCode::no_header, "the file holds no message", name);
  return out;
}

std::string id_of(const hl7::Message& message) {
  return message.header().field(10).to_text();
}

/// By control id where both files have it once, then in order.
std::vector<std::pair<const hl7::Message*, const hl7::Message*>> pairs_of(const Loaded& a, const Loaded& b) {
  std::vector<std::pair<const hl7::Message*, const hl7::Message*>> out;
  if (a.messages.size() == 1 && b.messages.size() == 1) return {{&a.messages[0], &b.messages[0]}};
  std::map<std::string, std::vector<const hl7::Message*>> by_id;
  for (const hl7::Message& message : b.messages) by_id[id_of(message)].push_back(&message);
  std::map<const hl7::Message*, bool> taken;
  for (const hl7::Message& message : a.messages) {
    auto& same = by_id[id_of(message)];
    const hl7::Message* partner = same.empty() ? nullptr : same.front();
    if (partner != nullptr) same.erase(same.begin());
    taken[partner] = true;
    out.emplace_back(&message, partner);
  }
  for (const hl7::Message& message : b.messages)
    if (!taken.contains(&message)) out.emplace_back(nullptr, &message);
  return out;
}

std::string shown(const std::string& text, bool null) {
  return null ? "\"\" (null)" : detail::visible(text);
}

void print_text(const hl7::Message* a, const hl7::Message* b, const hl7::MessageDifference& difference,
                const Paint& paint) {
  for (const hl7::SegmentDifference& segment : difference.segments) {
    if (!segment.before || !segment.after) {
      const hl7::SegmentView only = segment.before ? a->segment(*segment.before) : b->segment(*segment.after);
      const std::string line = (segment.before ? "- " : "+ ") + detail::visible(only.raw());
      print(paint(segment.before ? Paint::red : Paint::green, line) + "\n");
      continue;
    }
    for (const hl7::ValueDifference& value : segment.values) {
      const std::string before = value.before ? a->place(*value.before) : "";
      const std::string after = value.after ? b->place(*value.after) : "";
      print(paint(Paint::cyan,
                  "@ " + (before.empty() ? after : before) +
                      (!before.empty() && !after.empty() && before != after ? " -> " + after : "")) +
            "\n");
      if (value.before) print(paint(Paint::red, "- " + shown(value.before_text, value.before_null)) + "\n");
      if (value.after) print(paint(Paint::green, "+ " + shown(value.after_text, value.after_null)) + "\n");
    }
  }
}

void write_side(base::JsonWriter& json, const char* name, const std::optional<hl7::Location>& at, bool null,
                const std::string& text, const hl7::Message& message) {
  if (!at) return;
  json.key(name).begin_object().member("path", message.place(*at)).key("value");
  if (null)
    json.null();
  else
    json.string(detail::valid_text(text));
  json.end_object();
}

void print_json(const hl7::Message* a, const hl7::Message* b, const hl7::MessageDifference& difference) {
  base::JsonWriter json;
  json.begin_object();
  if (a != nullptr) json.member("before", id_of(*a));
  if (b != nullptr) json.member("after", id_of(*b));
  json.key("differences").begin_array();
  for (const hl7::SegmentDifference& segment : difference.segments) {
    if (!segment.before || !segment.after) {
      const hl7::SegmentView only = segment.before ? a->segment(*segment.before) : b->segment(*segment.after);
      json.begin_object()
          .member(segment.before ? "removed" : "added", detail::valid_text(only.raw()))
          .key("segment")
          .integer(only.index());
      json.end_object();
      continue;
    }
    for (const hl7::ValueDifference& value : segment.values) {
      json.begin_object();
      write_side(json, "before", value.before, value.before_null, value.before_text, *a);
      write_side(json, "after", value.after, value.after_null, value.after_text, *b);
      json.end_object();
    }
  }
  print(json.end_array().end_object().take() + "\n");
}

int run(const Arguments& arguments) {
  const auto options = detail::parse_options(arguments);
  if (!options) return detail::report_usage(options.error(), arguments);
  hl7::DiffOptions diff_options;
  for (const std::string& text : arguments.all("--ignore")) {
    auto path = hl7::Path::compile(text);
    if (!path) return detail::report_usage(path.error(), arguments);
    diff_options.ignore.push_back(std::move(*path));
  }
  const auto a = load(arguments.text("A"), *options), b = load(arguments.text("B"), *options);
  if (!a) return detail::report_usage(a.error(), arguments);
  if (!b) return detail::report_usage(b.error(), arguments);
  const Paint paint(arguments);
  const bool many = a->messages.size() > 1 || b->messages.size() > 1;
  bool differs = false;
  if (!arguments.json() && !arguments.has("--quiet"))
    print(paint(Paint::bold, "--- " + a->file.name) + "\n" + paint(Paint::bold, "+++ " + b->file.name) +
          "\n");
  for (const auto& [left, right] : pairs_of(*a, *b)) {
    hl7::MessageDifference difference;
    if (left != nullptr && right != nullptr) difference = hl7::diff(*left, *right, diff_options);
    const bool one_sided = left == nullptr || right == nullptr;
    if (!one_sided && difference.equal_values()) continue;
    differs = true;
    if (arguments.has("--quiet")) continue;
    if (arguments.json()) {
      print_json(left, right, difference);
      continue;
    }
    if (many)
      print(paint(Paint::bold, "message " + detail::visible(id_of(left != nullptr ? *left : *right))) +
            (one_sided ? (left != nullptr ? " only in the first file" : " only in the second file") : "") +
            "\n");
    print_text(left, right, difference, paint);
  }
  return differs ? kExitFound : kExitOk;
}

constexpr ArgumentSpec kArguments[] = {{"A", "HL7 v2 file; - reads standard input"}, {"B", "the other one"}};
constexpr OptionSpec kOptions[] = {
    {"--ignore", "PATH", "a segment, field or part not to compare, such as MSH-7 (repeatable)", false, true},
    {"--quiet", nullptr, "print nothing, only the exit code"},
    detail::kCharsetOption,
    detail::kColorOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 diff before.hl7 after.hl7", "each value that differs, with its path"},
    {"kiln hl7 diff --ignore MSH-7 --ignore MSH-10 expected.hl7 actual.hl7",
     "in a test: exit 1 when it differs"}};

}  // namespace

const CommandSpec& hl7_diff_spec() {
  static const CommandSpec spec{
      "hl7 diff",
      "Files",
      "compare messages by segment, field and part",
      "Values are compared decoded: delimiters, line ends and trailing delimiters make no difference. "
      "Segments\n"
      "and repetitions are aligned, so that an inserted one is one difference. Several messages of a file "
      "are\n"
      "matched by MSH-10. Exit 0 equal, 1 different, 2 for usage and files that cannot be read.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
