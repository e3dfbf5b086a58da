#include "engine/admin/operator.h"

namespace kiln::engine {

Operator operator_of(const Call& call) {
  Operator out;
  out.name = call.caller.user;
  const base::JsonView body = call.body();
  if (call.caller.via == Caller::Via::socket && !body["by"].text().empty()) out.name = body["by"].text();
  out.reason = body["reason"].text();
  return out;
}

}  // namespace kiln::engine
