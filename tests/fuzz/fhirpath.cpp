// Fuzz target of FHIRPath: any text compiles or is refused, with and without strict checks, and evaluates on
// a fixed resource within small budgets, to the same whether checked or not, and on nothing; the result
// prints. Useful sizes: up to 120 bytes (-max_len=120 -dict=tests/fuzz/dictionaries/fhirpath).

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "fhir/model/json.h"
#include "fhir/path/path.h"

namespace {

using namespace kiln::fhir;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kPatient =
    R"({"resourceType":"Patient","id":"p","contained":[{"resourceType":"Organization","id":"o","name":"Ward"}],)"
    R"("text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},)"
    R"("extension":[{"url":"http://x.org/w","valueQuantity":{"value":70.50,"unit":"kg","code":"kg"}},)"
    R"({"url":"http://x.org/d","valueDecimal":-0.0012}],"active":true,"name":[{"use":"official","family":"Sample",)"
    R"("given":["Ida","M\u00e4e"],"period":{"start":"2001-05"}},{"use":"nickname","given":["Idi"]}],)"
    R"("telecom":[{"system":"phone","value":"555","rank":2},{"value":"x","rank":1}],"gender":"female",)"
    R"("birthDate":"1984-02-29","_birthDate":{"extension":[{"url":"http://x.org/t",)"
    R"("valueDateTime":"1984-02-29T10:15:00.5+01:00"}]},"multipleBirthInteger":2,)"
    R"("managingOrganization":{"reference":"#o"}})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree patient = *read_json(kPatient);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CompileOptions strict;
  strict.strict = true;
  strict.type = patient.root().type();
  const auto checked = PathExpression::compile(text, strict);
  const auto compiled = PathExpression::compile(text);
  require(!checked || compiled);
  if (!compiled) return 0;
  PathEnvironment environment;
  environment.now.micros = 1'780'000'000'123'000;
  environment.steps_max = 20'000;
  environment.result_max = 2'000;
  environment.bytes_max = 1 << 20;
  static PathResult result;  // used again, as every caller does
  require(compiled->evaluate(Node(), environment, result).has_value() || result.empty());
  if (!compiled->evaluate(patient.root(), environment, result)) return 0;
  require(result.size() <= environment.result_max);
  const std::string printed = print_json(result.items());
  require(printed.size() >= 2);
  ReadOptions untyped;
  untyped.typed = false;
  // A number may have more digits of exponent than a reader takes; everything else is JSON.
  if (const auto read = read_json(printed, untyped); !read)
    require(read.error().code == kiln::base::ErrorCode::limit_exceeded ||
            read.error().text.find("exponent") != std::string::npos);
  for (const PathItem& item : result.items()) require(type_name(item).find('.') != std::string::npos);
  // The same again: evaluation has no memory, and the strict checks change nothing.
  PathResult second;
  require(compiled->evaluate(patient.root(), environment, second).has_value());
  require(print_json(second.items()) == printed);
  if (checked) {
    require(checked->evaluate(patient.root(), environment, second).has_value());
    require(print_json(second.items()) == printed);
  }
  return 0;
}
