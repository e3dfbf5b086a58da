#pragma once
// References: their text forms, and the rewriting of references inside a transaction (fhir.md §8 T3).

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/base/json.h"

namespace kiln::fhir {

/// A literal reference taken apart. Views into the given text.
struct ReferenceParts {
  enum class Form : unsigned char {
    relative,     ///< Type/id[/_history/vid]
    absolute,     ///< http(s)://…/Type/id[/_history/vid] on another server
    urn,          ///< urn:uuid:… or urn:oid:…
    fragment,     ///< #contained
    conditional,  ///< Type?criteria
    other,        ///< anything else: a plain URI
  };
  Form form = Form::other;
  std::string_view type, id, version;  ///< of relative and absolute forms
  std::string_view base;               ///< of absolute: what stands before Type, without the last '/'
  std::string_view query;              ///< of conditional: after '?'
};

/// `own_base` is the base URL of this server without a final '/'; an absolute reference below it counts as
/// relative.
ReferenceParts parse_reference(std::string_view text, std::string_view own_base = {});

/// Old reference text → new reference text, for the resources of one bundle.
class ReferenceMap {
 public:
  void add(std::string from, std::string to) {
    lengths_ |= length_bit(from);
    map_.insert_or_assign(std::move(from), std::move(to));
  }
  /// Empty when the text is not mapped.
  std::string_view find(std::string_view text) const {
    if ((lengths_ & length_bit(text)) == 0) return {};
    const auto found = map_.find(text);
    return found == map_.end() ? std::string_view() : std::string_view(found->second);
  }
  bool empty() const { return map_.empty(); }
  std::size_t size() const { return map_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  static std::uint64_t length_bit(std::string_view text) { return std::uint64_t{1} << (text.size() % 64); }

  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> map_;
  std::uint64_t lengths_ = 0;  ///< of the texts in the map: nearly all others are told by it
};

/// How the references of one resource are rewritten when it is stored.
struct ReferenceRewrite {
  const ReferenceMap* map = nullptr;  ///< not owned
  /// fullUrl base of the resource's own entry ("http://example.org/fhir"), against which its relative
  /// references are looked up in the map; empty when the fullUrl is a urn.
  std::string_view entry_base;

  /// The new text of a Reference.reference (a `/_history/v` or `#fragment` suffix is kept); nullopt: leave
  /// it.
  std::optional<std::string> reference(std::string_view text) const;
};

}  // namespace kiln::fhir
