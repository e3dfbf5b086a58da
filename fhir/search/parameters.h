#pragma once
// The search parameters of a type in the form the store and the search use: numbered, with a compiled
// extractor.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/json.h"
#include "fhir/definitions/definitions.h"
#include "fhir/model/tree.h"
#include "fhir/reference.h"

namespace kiln::fhir {

/// Where the values of a parameter are kept.
enum class ParameterKind : std::uint8_t {
  id,
  last_updated,
  token,
  string,
  date,
  reference,
  uri,
  number,
  quantity
};

struct CustomDefinition;  // fhir/search/custom_parameters.h

namespace detail {
struct Extractor;
struct CompositeExtractor;
}  // namespace detail

/// One searchable parameter of one type. Lives as long as the process.
struct Parameter {
  std::string_view code;
  ParameterKind kind = ParameterKind::token;
  const SearchParameter* definition = nullptr;  ///< of R4; nullptr: `custom`
  std::uint16_t ordinal = 0;  ///< position in TypeParameters::all(); not stable over versions
  /// nullptr for id and last_updated, for a component, and for an added one that needs FHIRPath.
  const detail::Extractor* extractor = nullptr;
  const CustomDefinition* custom = nullptr;  ///< of a parameter that was added to the store
  bool is_indexed() const { return kind != ParameterKind::id && kind != ParameterKind::last_updated; }
};

/// A parameter whose values are combinations of values of one element.
struct CompositeParameter {
  std::string_view code;
  const SearchParameter* definition = nullptr;
  std::uint16_t ordinal = 0;  ///< position in TypeParameters::composites(); not stable over versions
  /// What each part of a value is, in order; ordinal is the position.
  std::vector<Parameter> components;
  const detail::CompositeExtractor* extractor = nullptr;
};

/// Those parameters of a type that can be searched: all but special ones. Every expression of R4 is in the
/// small path subset (fhir.md D6), so that rows cost no FHIRPath; a test holds them to FHIRPath's answer.
class TypeParameters {
 public:
  std::string_view type() const { return type_; }
  /// All but the composite ones: those of R4, sorted by code, and behind them the added ones as they came, those that
  /// are not ready or were removed again too.
  std::span<const Parameter> all() const { return list_; }
  /// One that can be searched by: an added one only when all resources are indexed.
  const Parameter* find(std::string_view code) const;
  /// An added one that is still being indexed.
  const Parameter* find_pending(std::string_view code) const;
  /// Sorted by code.
  std::span<const CompositeParameter> composites() const { return composites_; }
  const CompositeParameter* find_composite(std::string_view code) const;

 private:
  friend class ParameterRegistry;
  std::string_view type_;
  std::vector<Parameter> list_;
  std::size_t own_ = 0;  ///< how many of list_ are of R4
  std::vector<CompositeParameter> composites_;
};

/// nullptr when the type is no resource type. Compiled on first use; thread-safe. Another object after a parameter was
/// added to the type; earlier ones stay valid, and ordinals the same.
const TypeParameters* type_parameters(std::string_view resource_type);

/// One index row; `parameter` is Parameter::ordinal. Text is owned.
struct TokenRow {
  std::uint16_t parameter;
  std::string system, code;
  auto operator<=>(const TokenRow&) const = default;
};
struct StringRow {
  std::uint16_t parameter;
  std::string folded, exact;
  auto operator<=>(const StringRow&) const = default;
};
struct DateRow {
  std::uint16_t parameter;
  std::int64_t low, high;  ///< UTC microseconds, both inclusive; open ends are kDateLowest, kDateHighest
  auto operator<=>(const DateRow&) const = default;
};
struct ReferenceRow {
  std::uint16_t parameter;
  std::string target_type;  ///< empty: `target_id` is a whole URL (other server, urn, canonical)
  std::string target_id;
  auto operator<=>(const ReferenceRow&) const = default;
};
struct UriRow {
  std::uint16_t parameter;
  std::string uri;
  auto operator<=>(const UriRow&) const = default;
};
/// Numbers and quantities as the implied interval of the number's precision (search#number), in sortable
/// text.
struct QuantityRow {
  std::uint16_t parameter;
  std::string low, high;     ///< sortable_decimal()
  std::string system, code;  ///< of a quantity; a unit without code is kept as code with an empty system
  auto operator<=>(const QuantityRow&) const = default;
};

/// One value of a composite parameter: a row of its kind for each component, in their order. `parameter` is
/// CompositeParameter::ordinal, that of the inner rows the position of the component.
struct CompositeRow {
  using Value = std::variant<TokenRow, StringRow, DateRow, ReferenceRow, UriRow, QuantityRow>;
  std::uint16_t parameter;
  std::vector<Value> values;
  auto operator<=>(const CompositeRow&) const = default;
};

inline constexpr std::int64_t kDateLowest = INT64_MIN, kDateHighest = INT64_MAX;

/// The index rows of one resource; each list sorted and without duplicates.
struct IndexRows {
  std::vector<TokenRow> tokens;
  std::vector<StringRow> strings;
  std::vector<DateRow> dates;
  std::vector<ReferenceRow> references;
  std::vector<UriRow> uris;
  std::vector<QuantityRow> quantities;
  /// Every combination of the values of the components in one element; at most limits::kCompositeRowsMax.
  std::vector<CompositeRow> composites;
};

/// Changes when the same resource would give other rows: a store with another number rebuilds its index.
inline constexpr std::int64_t kIndexVersion = 3;

/// All rows of a resource of that type. Values of the wrong shape give no row. `rewrite` (may be null) is
/// applied to references; `own_base` makes own absolute references relative.
IndexRows extract_rows(const TypeParameters& parameters, base::JsonView resource,
                       const ReferenceRewrite* rewrite, std::string_view own_base);

/// The rows of one parameter that is_indexed().
IndexRows extract_rows(const Parameter& parameter, base::JsonView resource, std::string_view own_base);

/// The members of a resource that hold all values of a parameter; nullopt: that is not known (an added one in FHIRPath).
std::optional<std::vector<std::string_view>> members_of(const Parameter& parameter);

/// The same from a typed tree, every parameter through compiled FHIRPath. Gives the same rows.
IndexRows extract_rows(const TypeParameters& parameters, Node resource, const ReferenceRewrite* rewrite,
                       std::string_view own_base);

/// Case, accents and punctuation folded, white space collapsed (search#string); Latin, Greek and Cyrillic
/// letters.
std::string fold(std::string_view text);
/// The part of a string that is indexed and compared: limits::kIndexTextBytesMax, cut between characters.
std::string_view indexed_part(std::string_view text);
/// A text that sorts (bytewise) as the number does. nullopt when it is no JSON number or its exponent is
/// beyond ±999.
std::optional<std::string> sortable_decimal(std::string_view number);
/// [low, high) of a number's implied precision as sortable text: "100" → 99.5, 100.5.
struct DecimalInterval {
  std::string low, high;
};
std::optional<DecimalInterval> implied_interval(std::string_view number);

}  // namespace kiln::fhir
