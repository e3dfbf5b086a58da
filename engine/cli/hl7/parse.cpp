// kiln hl7 parse: what a message holds, as aligned text, JSON or NDJSON (hl7v2.md §16).

#include <algorithm>

#include "engine/detail/hl7_cli.h"

namespace kiln::engine {
namespace {

using detail::Hl7Item;
using detail::pad;
using detail::Paint;

constexpr std::size_t kValueMax = 120;  ///< characters of a value in the text form without --full
constexpr std::size_t kPathMin = 14, kNameMin = 48;

/// Names of the fields and components of one segment, as far as its version knows them.
std::string name_of_place(const hl7::Dictionary& dictionary, const std::optional<hl7::SegmentDef>& segment,
                          const hl7::Location& at) {
  const auto field = segment ? segment->field(at.field) : std::nullopt;
  if (!field) return {};
  std::string name(field->name);
  const auto type = dictionary.datatype(field->datatype);
  const auto component = type ? type->component(at.component) : std::nullopt;
  if (!component) return name;
  const auto inner = dictionary.datatype(component->datatype);
  const auto sub = inner ? inner->component(at.subcomponent) : std::nullopt;
  // Three levels are too long for a line; the last two say enough beside the path.
  if (sub) return std::string(component->name) + " / " + std::string(sub->name);
  return name + " / " + std::string(component->name);
}

/// "PID-5[2].1.2": the repetition only where there are several, parts only where the field is cut.
std::string short_path(const hl7::SegmentView& segment, const hl7::Location& at, bool typed) {
  const hl7::FieldView field = segment.field(at.field);
  std::string path = std::string(detail::valid_text(segment.name())) + "-" + std::to_string(at.field);
  if (field.repetition_count() > 1) path += "[" + std::to_string(at.repetition) + "]";
  const hl7::RepetitionView repetition = field.repetition(at.repetition);
  if (!typed && repetition.component_count() < 2 && repetition.component(1).sub_count() < 2) return path;
  path += "." + std::to_string(at.component);
  if (repetition.component(at.component).sub_count() > 1) path += "." + std::to_string(at.subcomponent);
  return path;
}

class TextView {
 public:
  TextView(const Arguments& arguments, const Paint& paint)
      : paint_(paint), most_(arguments.has("--full") ? SIZE_MAX : kValueMax) {}

  std::string print(const Hl7Item& item) {
    const hl7::Message& message = *item.message;
    const auto ids = detail::segment_ids(message);
    const auto choice = detail::structure_of(message, ids);
    hl7::match(choice.structure, ids, tree_);
    out_.clear();
    out_ += paint_(Paint::bold, item.name()) + "  " +
            (choice.structure == nullptr ? "no known structure" : std::string(choice.structure->id())) +
            ", version " + std::string(hl7::version_text(choice.version)) +
            (choice.version_exact ? "" : " (nearest)") + ", " + std::to_string(ids.size()) +
            (ids.size() == 1 ? " segment\n" : " segments\n");
    collect(message);
    const hl7::Dictionary dictionary(choice.version);
    std::uint32_t instance = 0;
    for (std::uint32_t i = 0; i < ids.size(); ++i) {
      open_groups(instance, tree_.placements()[i].instance);
      instance = tree_.placements()[i].instance;
      print_segment(message, message.segment(i), dictionary, depth(instance));
    }
    print_diagnostics(message);
    return std::move(out_);
  }

 private:
  void collect(const hl7::Message& message) {
    leaves_.assign(message.segment_count(), {});
    message.for_each_leaf([&](const hl7::Location& at, const hl7::LeafView& leaf) {
      if (!leaf.absent()) leaves_[at.segment].push_back({at, leaf});
    });
  }

  std::size_t depth(std::uint32_t instance) const {
    std::size_t depth = 0;
    for (; instance != 0; instance = tree_.instances()[instance].parent) ++depth;
    return depth;
  }

  /// Headings of the groups that begin between two segments.
  void open_groups(std::uint32_t from, std::uint32_t to) {
    std::vector<std::uint32_t> opened;
    for (std::uint32_t at = to; at != 0 && at > from; at = tree_.instances()[at].parent) opened.push_back(at);
    std::reverse(opened.begin(), opened.end());
    for (const std::uint32_t group : opened) {
      const hl7::GroupInstance& g = tree_.instances()[group];
      const hl7::StructureNode& node = tree_.structure()->nodes()[g.node];
      out_ += std::string(2 * (depth(group) - 1), ' ') + paint_(Paint::cyan, node.name) +
              (node.repeats ? paint_(Paint::cyan, "[" + std::to_string(g.ordinal) + "]") : "") + "\n";
    }
  }

  void print_segment(const hl7::Message& message, const hl7::SegmentView& segment,
                     const hl7::Dictionary& dictionary, std::size_t level) {
    const std::string indent(2 * level, ' ');
    const std::string id = hl7::segment_name(segment.id());
    const auto definition = dictionary.segment(id);
    out_ += indent + paint_(Paint::bold, detail::visible(segment.name()));
    if (definition) out_ += "  " + std::string(definition->title);
    if (tree_.placements()[segment.index()].placing == hl7::Placing::unplaced && tree_.structure() != nullptr)
      out_ += "  " + paint_(Paint::yellow, "(not expected here)");
    out_ += '\n';
    static_cast<void>(message);
    for (const auto& [at, leaf] : leaves_[segment.index()]) {
      const auto field = definition ? definition->field(at.field) : std::nullopt;
      const auto type = field ? dictionary.datatype(field->datatype) : std::nullopt;
      const bool typed = type && !type->primitive() && !leaf.verbatim();
      const std::string name = name_of_place(dictionary, definition, at);
      out_ += indent + "  " + paint_(Paint::green, pad(short_path(segment, at, typed), kPathMin)) + " " +
              paint_(Paint::dim, pad(name, kNameMin)) + " " + value(leaf) + "\n";
    }
  }

  std::string value(const hl7::LeafView& leaf) {
    if (leaf.is_null()) return paint_(Paint::yellow, "\"\"") + paint_(Paint::dim, " (null: delete)");
    return detail::visible(leaf.verbatim() ? leaf.raw() : leaf.text(buffer_), most_);
  }

  void print_diagnostics(const hl7::Message& message) {
    auto all = message.diagnostics();
    const auto text = hl7::check_text(message);
    all.insert(all.end(), text.begin(), text.end());
    for (const hl7::ParseDiagnostic& d : all) {
      const bool note = d.severity == base::Severity::note;
      out_ += paint_(note ? Paint::cyan : Paint::yellow, note ? "note" : "warning") + "[" +
              base::error_info(d.code).code + "]: " + std::string(d.text) + " (" + message.place(d.location) +
              ", byte " + std::to_string(d.offset) + ")\n";
    }
    if (message.diagnostics_dropped() != 0)
      out_ += std::to_string(message.diagnostics_dropped()) + " more are not shown\n";
  }

  const Paint& paint_;
  std::size_t most_;
  hl7::GroupTree tree_;
  std::vector<std::vector<std::pair<hl7::Location, hl7::LeafView>>> leaves_;
  std::string out_, buffer_;
};

/// One document per file, in the form of hl7v2.md §16.
int print_json(const Arguments& arguments, const std::vector<std::string>& files) {
  const bool groups = arguments.has("--groups");
  int exit_code = kExitOk;
  static const std::vector<std::string> standard_input{"-"};
  for (const std::string& name : files.empty() ? standard_input : files) {
    base::JsonWriter json;
    json.begin_object();
    if (files.size() > 1) json.member("file", name);
    json.key("messages").begin_array();
    std::string envelope = "[]";
    exit_code = std::max(exit_code, detail::for_each_message(arguments, {name}, [&](Hl7Item& item) {
                           json.begin_object();
                           detail::write_message(json, *item.message, item.offset, groups);
                           json.end_object();
                           if (item.number == 1) envelope = detail::envelope_json(item.file);
                           return true;
                         }));
    json.end_array().key("envelope").raw(envelope).end_object();
    print(json.take() + "\n");
  }
  return exit_code;
}

int print_ndjson(const Arguments& arguments, const std::vector<std::string>& files) {
  return detail::for_each_message(arguments, files, [&](Hl7Item& item) {
    base::JsonWriter json;
    json.begin_object().member("file", item.file.name);
    json.key("message").integer(static_cast<std::int64_t>(item.number));
    detail::write_message(json, *item.message, item.offset, arguments.has("--groups"));
    print(json.end_object().take() + "\n");
    return true;
  });
}

int run(const Arguments& arguments) {
  const auto files = arguments.all("FILE");
  if (arguments.has("--ndjson")) return print_ndjson(arguments, files);
  if (arguments.json()) return print_json(arguments, files);
  const Paint paint(arguments);
  TextView view(arguments, paint);
  bool first = true;
  return detail::for_each_message(arguments, files, [&](Hl7Item& item) {
    print((first ? "" : "\n") + view.print(item));
    first = false;
    return true;
  });
}

constexpr ArgumentSpec kArguments[] = {detail::kFilesArgument};
constexpr OptionSpec kOptions[] = {
    {"--tree", nullptr, "groups, segments and values with their names (this is what is shown anyway)"},
    {"--ndjson", nullptr, "one JSON object per message and line"},
    {"--groups", nullptr, "with --json or --ndjson: the group tree too"},
    {"--full", nullptr, "do not cut long values"},
    detail::kCharsetOption,
    detail::kColorOption};
constexpr ExampleSpec kExamples[] = {
    {"kiln hl7 parse a01.hl7", "every value with its path and name"},
    {"kiln hl7 parse --json oru.hl7 | jq '.messages[0].structure'", "the whole message as JSON"},
    {"kiln hl7 parse --ndjson day/*.hl7 | jq -c '[.file, .structure]'", "one line per message"}};

}  // namespace

const CommandSpec& hl7_parse_spec() {
  static const CommandSpec spec{
      "hl7 parse",
      "Files",
      "show what messages hold, as text or JSON",
      "In JSON, fields[0] is field 1 (in MSH the separator itself), a field is a list of repetitions of\n"
      "components of subcomponents; a leaf is its decoded text, \"\" when empty, null for the explicit "
      "null.\n"
      "Exit 1 when a file holds no message, 2 for usage and unreadable files.",
      kArguments,
      kOptions,
      kExamples,
      run,
      kExitUsageFile};
  return spec;
}

}  // namespace kiln::engine
