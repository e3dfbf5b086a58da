#include <charconv>

#include "engine/base/limits.h"
#include "fhir/detail/terminology_input.h"
#include "fhir/resource_text.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::fail;

Answer<std::size_t> read_number(const detail::OperationInput& input, std::string_view name) {
  const std::string_view text = input.text(name);
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size()))
    return fail(ErrorCode::fhir_invalid, "expected a number", std::string(name));
  return value;
}

std::string print_expansion(const std::string& url, const Expansion& expansion, std::size_t offset,
                            base::WallTime now) {
  base::JsonWriter out;
  out.begin_object().member("resourceType", "ValueSet").member("url", url).member("status", "active");
  out.key("expansion").begin_object().member("timestamp", print_instant(now));
  out.key("total").integer(static_cast<std::int64_t>(expansion.total));
  out.key("offset").integer(static_cast<std::int64_t>(offset));
  if (!expansion.codes.empty()) {
    out.key("contains").begin_array();
    for (const CodeEntry& entry : expansion.codes) {
      out.begin_object();
      if (!entry.system.empty()) out.member("system", entry.system);
      if (entry.is_abstract) out.key("abstract").boolean(true);
      out.member("code", entry.code);
      if (!entry.display.empty()) out.member("display", entry.display);
      out.end_object();
    }
    out.end_array();
  }
  out.end_object().end_object();
  return out.take();
}

/// valueset-operation-expand.html
Answer<Reply> run(const Call& call) {
  TRY(const auto input, detail::OperationInput::read(call, {"url", "valueSet", "filter", "offset", "count"}));
  detail::TerminologyScope scope(call);
  TRY(const std::string url, scope.add_subject(input, "ValueSet", "valueSet"));
  if (url.empty())
    return fail(ErrorCode::fhir_required, "which value set? (url, valueSet or an instance)", "url");
  ExpandOptions options;
  options.filter = input.text("filter");
  TRY(options.offset, read_number(input, "offset"));
  TRY(options.count, read_number(input, "count"));
  TRY(const Expansion expansion, scope.terminology().expand(url, options));
  Reply reply;
  reply.body = print_expansion(url, expansion, options.offset, call.server->clock->wall());
  return reply;
}

constexpr std::string_view kTypes[] = {"ValueSet"};
constexpr InteractionExample kExamples[] = {
    {"GET /ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/administrative-gender",
     "the codes of a value set"}};

}  // namespace

const Interaction& expand_spec() {
  static const Interaction spec{.name = "$expand",
                                .summary = "the codes of a value set that is shipped, loaded, stored or sent",
                                .capability = {},
                                .method = "POST",
                                .shape = PathShape::operation,
                                .body = BodyKind::resource,
                                .examples = kExamples,
                                .run = run,
                                .also_get = true,
                                .on_type = true,
                                .on_instance = true,
                                .types = kTypes,
                                .definition = "http://hl7.org/fhir/OperationDefinition/ValueSet-expand"};
  return spec;
}

}  // namespace kiln::fhir
