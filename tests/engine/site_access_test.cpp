// Who may do what: every cell of users × interactions is decided in engine/security/site_access.cpp.

#include "engine/security/site_access.h"

#include <catch2/catch.hpp>

#include "engine/base/text.h"
#include "engine/security/request_quota.h"
#include "fhir/interaction.h"
#include "tests/engine/fhir_fixture.h"

using namespace kiln;
using channels::Options;
using channels::OptionValue;
using engine::SiteAccess;

namespace {

OptionValue text_value(std::string text) {
  OptionValue value;
  value.text = std::move(text);
  return value;
}

struct Rules {
  Options access;
  void add_user(const std::string& name, const std::string& token, const std::string& certificate,
                const std::vector<std::string>& roles) {
    Options options;
    if (!token.empty()) options.add("token", text_value(token));
    if (!certificate.empty()) options.add("certificate", text_value(certificate));
    for (const std::string& role : roles) options.add("role", text_value(role));
    OptionValue user = text_value(name);
    user.block.push_back(std::move(options));
    access.add("user", std::move(user));
  }
  void add_role(const std::string& name, const std::string& read, const std::string& write,
                const std::string& operations) {
    Options options;
    if (!read.empty()) options.add("read", text_value(read));
    if (!write.empty()) options.add("write", text_value(write));
    if (!operations.empty()) options.add("operations", text_value(operations));
    OptionValue role = text_value(name);
    role.block.push_back(std::move(options));
    access.add("role", std::move(role));
  }
};

const std::string kLab = "lab-token-0123456789", kAdmin = "admin-token-0123456789";

Rules site_rules() {
  Rules rules;
  rules.add_role("results", "Patient Observation", "Observation", "$everything");
  rules.add_user("lab", kLab, "", {"results"});
  rules.add_user("ehr", "", "CN=ehr,O=Example", {"reader"});
  rules.add_user("boss", "sha256:" + base::sha256_hex(kAdmin), "", {"admin"});
  return rules;
}

base::HttpRequest request_of(const std::string& peer, const std::string& authorization = {},
                             const std::string& target = "/fhir/Patient") {
  base::HttpRequest request;
  request.method = "GET";
  request.target = target;
  request.peer = peer;
  if (!authorization.empty()) request.headers.add("Authorization", authorization);
  return request;
}

std::string name_of(const SiteAccess& access, const base::HttpRequest& request,
                    const std::string& certificate = {}) {
  const auto principal = access.identify(request, certificate);
  if (!principal) return "refused";
  return principal->name.empty() ? "nobody" : principal->name;
}

}  // namespace

TEST_CASE("access: a user is known by token or certificate, and by nothing else", "[access]") {
  const auto access = SiteAccess::read(site_rules().access, false);
  REQUIRE(access);
  const std::string far = "192.0.2.7:5000", near = "127.0.0.1:5000";
  CHECK(name_of(*access, request_of(far, "Bearer " + kLab)) == "lab");
  CHECK(name_of(*access, request_of(far, "bearer " + kAdmin)) == "boss");
  CHECK(name_of(*access, request_of(far), "CN=ehr,O=Example") == "ehr");
  CHECK(name_of(*access, request_of(far, "Bearer " + kLab), "CN=ehr,O=Example") == "lab");
  for (const std::string& peer : {far, near}) {
    CHECK(name_of(*access, request_of(peer)) == "refused");
    CHECK(name_of(*access, request_of(peer, "Bearer wrong-token-0123456789")) == "refused");
    CHECK(name_of(*access, request_of(peer, "Bearer ")) == "refused");
    CHECK(name_of(*access, request_of(peer, "Bearer")) == "refused");
    CHECK(name_of(*access, request_of(peer, "Basic bGFiOng=")) == "refused");
    CHECK(name_of(*access, request_of(peer, "Bearer " + std::string(5000, 'x'))) == "refused");
    CHECK(name_of(*access, request_of(peer, "Bearer wrong"), "CN=ehr,O=Example") == "refused");
    CHECK(name_of(*access, request_of(peer), "CN=ehr,O=Example,C=DE") == "refused");
    CHECK(name_of(*access, request_of(peer, "", "/fhir/metadata")) == "nobody");
  }
  const SiteAccess nothing;
  CHECK(name_of(nothing, request_of(near)) == "nobody");
  CHECK(nothing.allow({"", true}, "delete", "Patient", {}));
  CHECK_FALSE(nothing.allow({"", false}, "read", "Patient", {}));
  CHECK(nothing.allow({"", false}, "capabilities", "", {}));
}

TEST_CASE("access: the table has every interaction, and what it does not have is denied", "[access]") {
  const auto access = SiteAccess::read(site_rules().access, false);
  REQUIRE(access);
  for (const fhir::Interaction* interaction : fhir::all_interactions()) {
    INFO(interaction->name);
    const auto rules = engine::access_rules();
    CHECK(std::any_of(rules.begin(), rules.end(),
                      [&](const auto& rule) { return rule.interaction == interaction->name; }));
  }
  for (const char* name : {"", "purge", "Read", "read "}) {
    CHECK_FALSE(access->allow({"boss", true}, name, "Patient", {}));
    CHECK_FALSE(SiteAccess().allow({"", true}, name, "Patient", {}));
  }
  CHECK_FALSE(access->allow({"stranger", true}, "read", "Patient", {}));
  CHECK_FALSE(access->allow({"", true}, "read", "Patient", {}));
}

TEST_CASE("access: a role may do what it says and no more", "[access]") {
  const auto access = SiteAccess::read(site_rules().access, false);
  REQUIRE(access);
  const auto may = [&](const char* user, const char* interaction, const char* type) {
    return access->allow({user, false}, interaction, type, {});
  };
  for (const char* reading : {"read", "vread", "history", "search"}) {
    CHECK(may("lab", reading, "Patient"));
    CHECK(may("lab", reading, "Observation"));
    CHECK_FALSE(may("lab", reading, "Condition"));
    CHECK(may("ehr", reading, "Condition"));
  }
  for (const char* writing : {"create", "update", "patch", "delete", "conditional-update",
                              "conditional-patch", "conditional-delete"}) {
    CHECK(may("lab", writing, "Observation"));
    CHECK_FALSE(may("lab", writing, "Patient"));
    CHECK_FALSE(may("ehr", writing, "Observation"));
    CHECK(may("boss", writing, "Patient"));
    CHECK_FALSE(may("boss", writing, ""));
  }
  CHECK(may("lab", "search", ""));
  CHECK_FALSE(may("lab", "history", ""));
  CHECK(may("ehr", "history", ""));
  CHECK(may("lab", "$everything", "Patient"));
  CHECK_FALSE(may("lab", "$everything", "Encounter"));
  CHECK_FALSE(may("lab", "$export", ""));
  CHECK_FALSE(may("ehr", "$export", ""));
  CHECK(may("boss", "$export", ""));
}

TEST_CASE("access: rules that cannot be meant are refused", "[access]") {
  const auto refused = [](const Rules& rules) { return !SiteAccess::read(rules.access, false).has_value(); };
  Rules rules;
  rules.add_user("a", "short", "", {"reader"});
  CHECK(refused(rules));
  rules = Rules();
  rules.add_user("a", kLab, "", {"nobody"});
  CHECK(refused(rules));
  rules = Rules();
  rules.add_user("a", "", "", {"reader"});
  CHECK(refused(rules));
  rules = Rules();
  rules.add_user("a", kLab, "", {"reader"});
  rules.add_user("b", kLab, "", {"reader"});
  CHECK(refused(rules));
  rules = Rules();
  rules.add_user("a", "sha256:12", "", {"reader"});
  CHECK(refused(rules));
}

TEST_CASE("access: an audited store's AuditEvents cannot be changed", "[access]") {
  const auto access = SiteAccess::read(site_rules().access, true);
  REQUIRE(access);
  CHECK(access->allow({"boss", false}, "create", "AuditEvent", {}));
  for (const char* writing : {"update", "patch", "delete", "conditional-delete"})
    CHECK_FALSE(access->allow({"boss", false}, writing, "AuditEvent", {}));
}

TEST_CASE("access: a criterion is a question about every type it touches", "[access]") {
  test::FhirServer server;
  const auto access = SiteAccess::read(site_rules().access, false);
  REQUIRE(access);
  const auto send = [&](const char* user, const char* method, const char* target,
                        const std::string& body = {}, const test::Headers& headers = {}) {
    base::HttpRequest request;
    request.method = method;
    request.target = std::string("/fhir") + target;
    request.body = body;
    for (const auto& [name, value] : headers) request.headers.add(name, value);
    fhir::ServerContext context = server.context;
    context.access = &*access;
    return fhir::handle(request, {user, false}, *server.store, context).status;
  };
  CHECK(send("lab", "GET", "/Observation?subject:Patient.name=x") == 200);
  CHECK(send("lab", "GET", "/Observation?encounter:Encounter.status=planned") == 403);
  CHECK(send("lab", "GET", "/Patient?_has:Observation:patient:code=x") == 200);
  CHECK(send("lab", "GET", "/Patient?_has:Condition:patient:code=x") == 403);
  CHECK(send("lab", "GET", "/Patient?_list=l1") == 403);
  CHECK(send("ehr", "GET", "/Patient?_has:Condition:patient:code=x") == 200);
  CHECK(send("lab", "GET", "/?_type=Patient,Condition") == 403);
  CHECK(send("lab", "GET", "/?_type=Patient,Observation") == 200);
  const std::string observation = R"({"resourceType":"Observation","status":"final","code":{"text":"x"}})";
  CHECK(send("lab", "POST", "/Observation", observation) == 201);
  CHECK(send("lab", "POST", "/Observation", observation,
             {{"If-None-Exist", "encounter:Encounter.status=planned"}}) == 403);
  CHECK(send("lab", "DELETE", "/Observation?encounter:Encounter.status=planned") == 403);
  const auto transaction = [](const std::string& entry) {
    return R"({"resourceType":"Bundle","type":"transaction","entry":[)" + entry + "]}";
  };
  CHECK(
      send(
          "lab", "POST", "/",
          transaction(
              R"({"request":{"method":"DELETE","url":"Observation?encounter:Encounter.status=planned"}})")) ==
      403);
  CHECK(send("lab", "POST", "/",
             transaction(
                 R"({"request":{"method":"POST","url":"Patient"},"resource":{"resourceType":"Patient"}})")) ==
        403);
  CHECK(send("lab", "POST", "/", transaction(R"({"request":{"method":"GET","url":"Condition"}})")) == 403);
  CHECK(send("lab", "POST", "/", transaction(R"({"request":{"method":"GET","url":"Patient"}})")) == 200);
}

TEST_CASE("access: requests of one client and of all are counted", "[access]") {
  base::ManualClock clock{{0}};
  engine::RequestQuota quota({3, 2, 0}, clock);
  CHECK(quota.enter("a"));
  CHECK(quota.enter("a"));
  CHECK_FALSE(quota.enter("a"));
  CHECK(quota.enter("b"));
  CHECK_FALSE(quota.enter("c"));
  quota.leave("a");
  CHECK(quota.enter("c"));
  CHECK(quota.refused() == 2);

  clock.advance(std::chrono::seconds(1));
  engine::RequestQuota paced({100, 100, 5}, clock);
  for (int i = 0; i < 5; ++i) {
    CHECK(paced.enter("a"));
    paced.leave("a");
  }
  CHECK_FALSE(paced.enter("a"));
  CHECK(paced.enter("b"));
  clock.advance(std::chrono::milliseconds(450));
  CHECK(paced.enter("a"));
  CHECK(paced.enter("a"));
  CHECK_FALSE(paced.enter("a"));

  engine::RequestQuota bursts({100, 100, 2, 20}, clock);
  const auto taken = [&] {
    int count = 0;
    while (bursts.enter("a")) {
      bursts.leave("a");
      ++count;
    }
    return count;
  };
  CHECK(taken() == 20);
  clock.advance(std::chrono::seconds(3));
  CHECK(taken() == 6);
  clock.advance(std::chrono::hours(1));
  CHECK(taken() == 20);
}
