#include "channels/connectors/detail/split.h"

#include "channels/limits.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "mappings/csv.h"

namespace kiln::channels::detail {

using base::ErrorCode;
using base::Result;

namespace {

/// The records of CSV with their line ends, by the rules of the reader (mappings/csv.h): a quote opens at the start of a
/// cell only, and a quoted one may hold line ends. Blank lines are none.
Result<std::vector<std::string_view>> records_of(std::string_view bytes, char delimiter) {
  enum class In : std::uint8_t { start, cell, quotes } in = In::start;
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  const auto end_record = [&](std::size_t end) {
    const std::string_view record = bytes.substr(begin, end - begin);
    if (!base::trim(record).empty()) out.push_back(record);
    begin = end;
  };
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    const bool is_doubled = i + 1 < bytes.size() && bytes[i + 1] == '"';
    if (in == In::quotes) {
      if (c == '"' && is_doubled) ++i;
      if (c == '"' && !is_doubled) in = In::cell;  // what follows it up to the delimiter stands as it is
      continue;
    }
    if (c == '"' && in == In::start) {
      in = In::quotes;
      continue;
    }
    const bool is_end = c == '\n' || (c == '\r' && (i + 1 == bytes.size() || bytes[i + 1] != '\n'));
    in = is_end || c == delimiter ? In::start : In::cell;
    if (is_end) end_record(i + 1);
  }
  if (in == In::quotes)
    return base::fail(ErrorCode::bad_value, "a quoted field does not end, so its records cannot be told apart");
  end_record(bytes.size());
  return out;
}

Result<SplitFile> split_records(std::string_view bytes, bool has_header, char delimiter) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  if (bytes.starts_with(kMark)) bytes.remove_prefix(kMark.size());
  TRY(const auto records, records_of(bytes, delimiter != 0 ? delimiter : mappings::delimiter_of(bytes)));
  SplitFile out;
  const std::string header(has_header && !records.empty() ? records.front() : std::string_view());
  std::size_t total = 0;
  for (std::size_t i = has_header ? 1 : 0; i < records.size(); ++i) {
    total += header.size() + records[i].size();
    if (total > limits::kSplitBytesMax)
      return base::fail(ErrorCode::limit_exceeded, "the rows with their header are more than a file may become");
    SplitItem item;
    item.bytes = header;
    item.bytes += records[i];
    out.items.push_back(std::move(item));
  }
  return out;
}

SplitFile split_lines(std::string_view bytes) {
  SplitFile out;
  for (const std::string_view line : base::split(bytes, '\n')) {
    const std::string_view text = base::trim(line);
    if (text.empty()) continue;
    SplitItem item;
    item.bytes = text;
    // What is no JSON is a message all the same: it is set aside by itself.
    if (const auto parsed = base::parse_json(item.bytes))
      item.name = std::string(parsed->root()["resourceType"].text()) + "/" + std::string(parsed->root()["id"].text());
    out.items.push_back(std::move(item));
  }
  return out;
}

Result<SplitFile> split_entries(std::string_view bytes) {
  TRY(const auto bundle, base::parse_json(std::string(bytes)));
  if (bundle.root()["resourceType"].text() != "Bundle")
    return base::fail(ErrorCode::bad_value, "the file is no Bundle", {}, "`split none` takes single resources");
  SplitFile out;
  std::size_t number = 0;
  for (const base::JsonView entry : bundle.root()["entry"]) {
    ++number;
    const base::JsonView resource = entry["resource"];
    if (!resource) {
      out.notes.push_back("entry " + std::to_string(number) + " of the Bundle has no resource");
      continue;
    }
    SplitItem item;
    item.bytes = base::print_json(resource);
    item.name = std::string(resource["resourceType"].text()) + "/" + std::string(resource["id"].text());
    out.items.push_back(std::move(item));
  }
  return out;
}

}  // namespace

Split split_of(const Options& options) {
  const std::string word = options.text("split");
  for (std::size_t i = 0; i < std::size(kSplitWords); ++i)
    if (word == kSplitWords[i]) return static_cast<Split>(i);
  return Split::none;
}

std::vector<OptionProblem> check_split(const Options& options, ContentKind content) {
  std::vector<OptionProblem> out;
  const Split split = split_of(options);
  const bool of_rows = split == Split::rows || split == Split::records;
  if (split != Split::none && (of_rows ? ContentKind::csv : ContentKind::fhir) != content)
    out.push_back({ErrorCode::E0902, "split",
                   "`" + options.text("split") + "` are parts of " + (of_rows ? "csv" : "fhir") + "; the content is " +
                       name_of(content),
                   content == ContentKind::hl7 ? "leave it out: a file of hl7 is split by itself" : ""});
  const std::string delimiter = options.text("delimiter");
  if (options.has("delimiter") && delimiter.size() != 1 && delimiter != "\\t")
    out.push_back({ErrorCode::E0917, "delimiter", "one character is expected", "\";\""});
  if (options.has("delimiter") && !of_rows)
    out.push_back({ErrorCode::E0905, "delimiter", "there are no rows to tell apart", "split rows|records"});
  if (options.has("results") && split == Split::none && content != ContentKind::hl7)
    out.push_back({ErrorCode::E0905, "results", "there is one message in a file, and `archive` or `failed` shows what became of it",
                   "split rows|records|lines|entries"});
  return out;
}

char delimiter_of(const Options& options) {
  const std::string given = options.text("delimiter");
  return given.empty() ? '\0' : given == "\\t" ? '\t' : given.front();
}

Result<SplitFile> split_file(Split how, std::string_view bytes, char delimiter) {
  switch (how) {
    case Split::rows:
      return split_records(bytes, true, delimiter);
    case Split::records:
      return split_records(bytes, false, delimiter);
    case Split::lines:
      return split_lines(bytes);
    case Split::entries:
      return split_entries(bytes);
    case Split::none:
      break;
  }
  SplitFile out;
  out.items.push_back({std::string(bytes), {}});
  return out;
}

std::string print_results(const std::vector<Answer>& answers, const std::string& whole) {
  static constexpr const char* kTaken[] = {"stored", "refused", "not-stored"};
  std::string out;
  std::int64_t number = 0;
  for (const Answer& answer : answers) {
    base::JsonWriter line;
    line.begin_object().key("item").integer(++number);
    const bool set_aside = answer.taken == Taken::stored && answer.set_aside;
    line.member("result", set_aside ? "quarantined" : kTaken[static_cast<std::size_t>(answer.taken)]);
    if (answer.id != 0) line.key("message").integer(static_cast<std::int64_t>(answer.id));
    if (!answer.code.empty()) line.member("code", answer.code);
    if (!answer.reason.empty()) line.member("reason", answer.reason);
    out += line.end_object().take() + "\n";
  }
  if (whole.empty()) return out;
  base::JsonWriter line;
  line.begin_object().member("result", "file").member("reason", whole);
  return out + line.end_object().take() + "\n";
}

}  // namespace kiln::channels::detail
