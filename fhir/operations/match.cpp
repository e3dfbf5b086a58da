#include <algorithm>
#include <charconv>
#include <map>

#include "engine/base/limits.h"
#include "fhir/detail/criteria.h"
#include "fhir/detail/matching.h"
#include "fhir/detail/operation_input.h"
#include "fhir/detail/operations.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;
using base::JsonView;

struct Candidate {
  StoredVersion version;
  int score = 0;
};

/// A text as one value of a search.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == ',' || c == '|' || c == '$') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

/// The searches that find who could be meant: by each identifier, and by pairs of a name and another trait.
std::vector<QueryPairs> questions(JsonView patient) {
  std::vector<QueryPairs> list;
  for (const JsonView one : patient["identifier"])
    if (!one["value"].text().empty())
      list.push_back({{"identifier", escaped(one["system"].text()) + "|" + escaped(one["value"].text())}});
  const std::string birth(patient["birthDate"].text());
  for (const JsonView name : patient["name"]) {
    const std::string family = escaped(name["family"].text());
    for (const JsonView given : name["given"]) {
      if (!family.empty()) list.push_back({{"family", family}, {"given", escaped(given.text())}});
      if (!birth.empty()) list.push_back({{"given", escaped(given.text())}, {"birthdate", birth}});
    }
    if (!family.empty() && !birth.empty()) list.push_back({{"family", family}, {"birthdate", birth}});
  }
  if (list.size() > base::limits::kSearchParametersMax) list.resize(base::limits::kSearchParametersMax);
  return list;
}

Answer<std::vector<Candidate>> find_candidates(const Call& call, JsonView patient) {
  std::map<std::string, Candidate> found;
  for (const QueryPairs& question : questions(patient)) {
    TRY(ParsedSearch search,
        parse_search("Patient", question, SearchMode::conditional, call.server->base_url));
    TRY_VOID(detail::check_search_access(call.principal, *call.server, search.query));
    search.query.count = base::limits::kMatchCandidatesMax;
    search.query.bytes_max = base::limits::kPageBytesMax;
    TRY(SearchPage page, call.store->search(search.query));
    for (StoredVersion& row : page.rows) {
      if (found.count(row.id)) continue;
      TRY(const base::JsonDocument document, base::parse_json(row.body));
      const int score = detail::match_score(patient, document.root());
      std::string id = row.id;
      found.emplace(std::move(id), Candidate{std::move(row), score});
    }
  }
  std::vector<Candidate> list;
  for (auto& [id, candidate] : found) list.push_back(std::move(candidate));
  std::stable_sort(list.begin(), list.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  return list;
}

std::string print_score(int score) {
  if (score == 100) return "1";
  return (score < 10 ? "0.0" : "0.") + std::to_string(score);
}

std::string print_matches(const std::vector<Candidate>& matches, const ServerContext& server) {
  base::JsonWriter out;
  out.begin_object().member("resourceType", "Bundle").member("type", "searchset");
  out.key("total").integer(static_cast<std::int64_t>(matches.size()));
  if (!matches.empty()) out.key("entry").begin_array();
  for (const Candidate& match : matches) {
    out.begin_object().member("fullUrl", server.base_url + "/Patient/" + match.version.id);
    out.key("resource").raw(match.version.body).key("search").begin_object();
    out.key("extension").begin_array().begin_object();
    out.member("url", "http://hl7.org/fhir/StructureDefinition/match-grade");
    out.member("valueCode", detail::match_grade(match.score)).end_object().end_array();
    out.member("mode", "match").key("score").number(print_score(match.score)).end_object().end_object();
  }
  if (!matches.empty()) out.end_array();
  out.end_object();
  return out.take();
}

/// patient-operation-match.html
Answer<Reply> run(const Call& call) {
  TRY(const auto input, detail::OperationInput::read(call, {"resource", "onlyCertainMatches", "count"}));
  const JsonView patient = input.resource("resource");
  if (patient["resourceType"].text() != "Patient")
    return fail(ErrorCode::fhir_required, "the parameter resource must be a Patient", "resource");
  std::size_t count = base::limits::kSearchCountDefault;
  const std::string_view wanted = input.text("count");
  const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), count);
  if (!wanted.empty() && (error != std::errc() || end != wanted.data() + wanted.size()))
    return fail(ErrorCode::fhir_invalid, "expected a number", "count");
  TRY(std::vector<Candidate> matches, find_candidates(call, patient));
  const std::string_view least = input.flag("onlyCertainMatches") ? "certain" : "possible";
  std::erase_if(matches, [&](const Candidate& one) {
    const std::string_view grade = detail::match_grade(one.score);
    return grade == "certainly-not" || (least == "certain" && grade != "certain");
  });
  if (matches.size() > count) matches.resize(count);
  Reply reply;
  reply.body = print_matches(matches, *call.server);
  return reply;
}

constexpr std::string_view kTypes[] = {"Patient"};
constexpr InteractionExample kExamples[] = {
    {"POST /Patient/$match with a Patient", "who could this be? with a score and a grade"}};

}  // namespace

const Interaction& match_spec() {
  static const Interaction spec{.name = "$match",
                                .summary = "stored patients that fit identifiers and demographics",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = run,
                                .on_type = true,
                                .types = kTypes,
                                .definition = "http://hl7.org/fhir/OperationDefinition/Patient-match"};
  return spec;
}

}  // namespace kiln::fhir
