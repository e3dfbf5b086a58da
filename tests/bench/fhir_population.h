#pragma once
// Invented patients and what was done for them: the same number gives the same text, on every machine.

#include <cstdint>
#include <cstdio>
#include <string>

namespace kiln::bench {

/// splitmix64
inline std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

inline const char* const kFamilies[] = {"Abara",  "Bellweg", "Corvin", "Dunmore", "Estrel", "Farnholt", "Grevin", "Haldane",
                                        "Iversk", "Jorvald", "Kestner", "Lindqvar", "Marlowe", "Norrick", "Okafen", "Pellami"};
inline const char* const kGivens[] = {"Ada", "Bram", "Cleo", "Dario", "Edda", "Finn", "Gesa", "Hugo",
                                      "Ines", "Jaro", "Kira", "Levi", "Mila", "Nilo", "Orla", "Piet"};
inline const char* const kCodes[] = {"718-7", "2345-7", "2160-0", "8867-4", "29463-7", "8310-5", "6690-2", "777-3"};
inline constexpr std::uint64_t kResourcesAPatient = 10;

/// Resource `slot` (0 to 9) of patient `n`, as one line.
class Population {
 public:
  static std::string family(std::uint64_t n) {
    return std::string(kFamilies[mixed(n) % 16]) + std::to_string(mixed(n + 7) % 5000);
  }
  static std::string birth(std::uint64_t n) { return date(1930 + mixed(n + 1) % 90, mixed(n + 2)); }
  static std::string patient_id(std::uint64_t n) { return id("p", n); }
  static std::string observation_id(std::uint64_t n, std::uint64_t slot) { return id("o", n * 10 + slot); }

  static const char* type(std::uint64_t slot) {
    static const char* const kTypes[] = {"Patient",     "Encounter",   "Observation", "Observation", "Observation",
                                         "Observation", "Observation", "Condition",   "Procedure",   "MedicationRequest"};
    return kTypes[slot];
  }

  static std::string line(std::uint64_t n, std::uint64_t slot) {
    const std::uint64_t r = mixed(n * 16 + slot);
    const std::string subject = R"("subject":{"reference":"Patient/)" + patient_id(n) + R"("})";
    const std::string encounter = R"("encounter":{"reference":"Encounter/)" + id("e", n) + R"("})";
    const std::string when = date(2015 + r % 10, r >> 8) + "T" + two(r % 24) + ":" + two(r / 24 % 60) + ":00Z";
    if (slot == 0) return patient(n);
    if (slot == 1)
      return head("Encounter", id("e", n)) + R"("identifier":[{"system":"urn:invented:visit","value":")" +
             std::to_string(n) + R"("}],"status":"finished","class":{"system":)"
             R"("http://terminology.hl7.org/CodeSystem/v3-ActCode","code":")" + (r % 3 ? "AMB" : "IMP") + R"("},)" +
             subject + R"(,"period":{"start":")" + when + R"("}})";
    if (slot <= 6) {
      char value[32];
      std::snprintf(value, sizeof value, "%.1f", static_cast<double>(r >> 20 & 2047) / 10);
      return head("Observation", observation_id(n, slot)) +
             R"("status":"final","category":[{"coding":[{"system":)"
             R"("http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],)"
             R"("code":{"coding":[{"system":"http://loinc.org","code":")" + kCodes[r % 8] + R"("}]},)" + subject + "," +
             encounter + R"(,"effectiveDateTime":")" + when + R"(","valueQuantity":{"value":)" + value +
             R"(,"unit":"g/dL","system":"http://unitsofmeasure.org","code":"g/dL"}})";
    }
    if (slot == 7)
      return head("Condition", id("c", n)) + R"("clinicalStatus":{"coding":[{"system":)"
             R"("http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"coding":[{"system":)"
             R"("http://snomed.info/sct","code":")" + std::to_string(10000 + r % 500) + R"("}]},)" + subject + "," +
             encounter + R"(,"onsetDateTime":")" + when + R"("})";
    if (slot == 8)
      return head("Procedure", id("q", n)) + R"("status":"completed","code":{"coding":[{"system":"http://snomed.info/sct",)"
             R"("code":")" + std::to_string(20000 + r % 300) + R"("}]},)" + subject + R"(,"performedDateTime":")" + when +
             R"("})";
    return head("MedicationRequest", id("m", n)) + R"("status":"active","intent":"order","medicationCodeableConcept":)"
           R"({"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":")" +
           std::to_string(30000 + r % 400) + R"("}]},)" + subject + R"(,"authoredOn":")" + when + R"("})";
  }

 private:
  static std::string two(std::uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); }
  static std::string date(std::uint64_t year, std::uint64_t r) {
    return std::to_string(year) + "-" + two(1 + r % 12) + "-" + two(1 + r / 12 % 28);
  }
  static std::string id(const char* kind, std::uint64_t n) {
    std::string digits = std::to_string(n);
    digits.insert(0, digits.size() < 9 ? 9 - digits.size() : 0, '0');
    return kind + digits;
  }
  static std::string head(const char* type, const std::string& id) {
    return R"({"resourceType":")" + std::string(type) + R"(","id":")" + id + R"(",)";
  }
  static std::string patient(std::uint64_t n) {
    return head("Patient", patient_id(n)) + R"("identifier":[{"system":"urn:invented:mrn","value":")" +
           std::to_string(n) + R"("}],"active":true,"name":[{"use":"official","family":")" + family(n) +
           R"(","given":[")" + kGivens[mixed(n + 3) % 16] + R"("]}],"telecom":[{"system":"phone","value":"555-)" +
           std::to_string(mixed(n + 4) % 10000) + R"("}],"gender":")" + (mixed(n + 5) % 2 ? "female" : "male") +
           R"(","birthDate":")" + birth(n) + R"(","address":[{"line":["1 Invented Way"],"city":"Town)" +
           std::to_string(mixed(n + 6) % 400) + R"(","postalCode":")" + std::to_string(10000 + mixed(n + 8) % 80000) +
           R"("}]})";
  }
};

}  // namespace kiln::bench
