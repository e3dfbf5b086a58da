// What of a query is shown to who may not see content.

#include <catch2/catch.hpp>

#include "engine/admin/query_rights.h"

namespace kiln::engine {
namespace {

Caller auditor() {
  Caller out;
  out.via = Caller::Via::session;
  out.rights = Rights().with(AdminRight::view).with(AdminRight::audit);
  return out;
}

std::string shown(std::string_view action, std::string_view detail) { return shown_detail(auditor(), action, detail); }

const std::string kHidden = "(by content: shown with phi.view)";

}  // namespace

TEST_CASE("audit: terms about content are for phi.view") {
  Caller seer = auditor();
  seer.rights = seer.rights.with(AdminRight::phi_view);
  const std::string searched = "q=name:muster type:ADT; limit=50";
  CHECK(shown_detail(seer, "message.search", searched) == searched);
  CHECK(shown("message.search", searched) == "q=" + kHidden + "; limit=50");
  CHECK(shown("message.search", "q=type:ADT since:2h; limit=50") == "q=type:ADT since:2h; limit=50");
  CHECK(shown("message.search", "query-syntax; q=nmae:muster") == "query-syntax; q=" + kHidden);
  CHECK(shown("replay.begin", "dry_run=true; query=mrn:4711; reason=wrong port") == "dry_run=true; query=" + kHidden + "; reason=wrong port");
  // Words of content that look like the end of the value, as they are written now and as they were before.
  const std::string odd = "text:\"muster; role=admin\"";
  CHECK(shown("message.search", print_detail("q", odd) + "; limit=1") == "q=" + kHidden + "; limit=1");
  CHECK(shown("message.search", "q=text:\"a; muster\"; limit=1") == "q=" + kHidden + "; limit=1");
  CHECK(shown("message.search", print_detail("q", "\"muster\" name:x") + "; limit=1") == "q=" + kHidden + "; limit=1");
  CHECK(shown("message.search", "q=\"text:muster; x=muster (cut)").find("muster") == std::string::npos);
  CHECK(shown("message.search", "").empty());
}

TEST_CASE("audit: what was asked of the FHIR store is content") {
  CHECK(shown("fhir.read", "family=Muster; _count=20; _id=7; _sort=-date") ==
        "family=" + kHidden + "; _count=20; _id=" + kHidden + "; _sort=-date");
  CHECK(shown("fhir.read", "_has:Observation:patient:code=1234-5; subject:Patient.name=Muster").find("Muster") == std::string::npos);
  CHECK(shown("message.view", "offset=0") == "offset=0");
}

TEST_CASE("audit: a value cannot pass for another one") {
  CHECK(print_detail("reason", "done") == "reason=done");
  CHECK(print_detail("reason", "done; role=owner") == "reason=\"done; role=owner\"");
  CHECK(print_detail("reason", "\"done\"") == "reason=\"\\\"done\\\"\"");
}

}  // namespace kiln::engine
