#pragma once
// One value of a search as a condition on the columns of an index row.

#include <string>
#include <string_view>

#include "engine/store/dictionary.h"
#include "engine/store/sql_text.h"
#include "fhir/search/query.h"

namespace kiln::engine {

/// Where a row keeps a value: token code, system; string folded, exact; date low, high; reference target id,
/// type; uri; quantity low, high, system, code.
struct ValueColumns {
  std::string_view first, second, third, fourth;
};

/// The index table of a kind, and its columns. Empty for id and last_updated.
struct IndexTable {
  std::string_view name;
  ValueColumns columns;
};
IndexTable index_table(fhir::ParameterKind kind);

/// " AND …" for one value. `kind` is token, string, date, reference, uri, number or quantity; of a token with
/// :text it is string, of a reference with :identifier token.
base::Result<SqlText> value_condition(fhir::ParameterKind kind, fhir::Modifier modifier,
                                      const fhir::SearchValue& value, const ValueColumns& columns,
                                      Dictionary& dictionary);

/// "text" as the bounds of a range of texts that begin with it: [text, text with its last character raised).
std::string prefix_end(std::string_view text);

}  // namespace kiln::engine
