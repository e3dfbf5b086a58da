// Fuzz target of fhir/patch: any text is a patch or is refused; the patched document is one that reads back as itself, and
// the input is never changed. Useful sizes: up to 1,500 bytes (-max_len=1500 -dict=tests/fuzz/dictionaries/fhir_json).

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fhir/model/json.h"
#include "fhir/patch/patch.h"

namespace {

using namespace kiln::fhir;

void require(bool holds) {
  if (!holds) std::abort();
}

// Its members are not in the order of the definition.
constexpr std::string_view kPatient =
    R"({"resourceType":"Patient","id":"p","meta":{"versionId":"3"},"telecom":[{"value":"1"},{"value":"2"}],)"
    R"("contained":[{"resourceType":"Organization","id":"o","name":"Ward"}],"active":true,"name":[{"family":"Sample",)"
    R"("use":"official","given":["Ida",null],"_given":[null,{"id":"g"}]},{"given":["Idi"]}],"birthDate":"1984-02-29",)"
    R"("_birthDate":{"extension":[{"url":"u","valueDecimal":1.50}]},"deceasedBoolean":false,)"
    R"("extension":[{"url":"u","valueQuantity":{"value":70.50}}],"managingOrganization":{"reference":"#o"}})";

void check(const Tree& patched) {
  ReadOptions wide;
  const std::string text = write_json(patched.root());
  wide.bytes_max = text.size() + 1;
  const auto again = read_json(text, wide);
  require(again && write_json(again->root()) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree patient = *read_json(kPatient);
  static const std::string before = write_json(patient.root());
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadOptions untyped;
  untyped.typed = false;
  if (const auto plain = apply_json_patch(before, text)) require(read_json(*plain, untyped).has_value());
  if (const auto patched = apply_json_patch(patient.root(), text)) check(*patched);
  if (const auto parameters = read_json(text))
    if (const auto patched = apply_path_patch(patient.root(), parameters->root())) check(*patched);
  require(write_json(patient.root()) == before);
  return 0;
}
