#pragma once
// Shapes: what JSON of the admin API looks like, in one line each, and as JSON Schema.
//
//   string integer number boolean time any     values; time is RFC 3339
//   "on"|"off"                                 one of these texts
//   [shape]                                    a list
//   {id: integer, note?: string, *: shape}     an object; `?`: may be absent; `*`: members of any other name
//   @Message                                   a shape by its name (named_shapes())

#include <span>
#include <string_view>

#include "engine/base/json.h"
#include "engine/base/result.h"

namespace kiln::engine {

struct NamedShape {
  const char* name;
  const char* shape;
};
std::span<const NamedShape> named_shapes();

/// Appends the JSON Schema of a shape. False: the text is no shape; what was written is then of no use.
bool write_schema(base::JsonWriter& json, std::string_view shape);

/// Whether `value` has that shape; what is absent is for who needs it to say. Error: bad_value with the member as place: of another
/// type, or of a name that the shape does not have.
base::Status check_shape(base::JsonView value, std::string_view shape);

}  // namespace kiln::engine
