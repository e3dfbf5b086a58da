#include "fhir/store.h"

namespace kiln::fhir {

std::string_view http_method(WriteMethod method) {
  switch (method) {
    case WriteMethod::create:
      return "POST";
    case WriteMethod::update:
      return "PUT";
    case WriteMethod::patch:
      return "PATCH";
    case WriteMethod::remove:
      return "DELETE";
  }
  return "PUT";
}

}  // namespace kiln::fhir
