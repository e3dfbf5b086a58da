#pragma once
#include <string>

namespace kiln::engine {

class Gateway;

/// {"version","fhir","site","channels":[{"name","source":{…},"received",…,"destinations":[{…}]}]}; counters
/// since start. On the engine's executor.
std::string print_status(const Gateway& gateway);

}  // namespace kiln::engine
