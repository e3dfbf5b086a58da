#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "engine/base/json.h"
#include "engine/base/metrics.h"
#include "engine/security/insecure_settings.h"

using namespace kiln;

namespace {

std::string read(const std::string& name) {
  std::ifstream file(KILN_SOURCE_DIR "/engine/package/monitoring/" + name);
  REQUIRE(file);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

/// Every metric that a text names, and the labels it is asked by, are in the table.
std::set<std::string> check_names(const std::string& text) {
  std::set<std::string> out;
  const std::regex name(R"(\bkiln_([a-z_]+)(\{([^}]*)\})?)");
  for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at) {
    std::string metric = (*at)[1];
    for (const std::string suffix : {"_bucket", "_sum", "_count"})
      if (!base::find_metric(metric) && metric.ends_with(suffix)) metric.resize(metric.size() - suffix.size());
    INFO(metric);
    const auto found = base::find_metric(metric);
    REQUIRE(found);
    out.insert(metric);
    const std::string labels = std::string(",") + base::info_of(*found).labels + ",";
    const std::string asked = (*at)[3];
    const std::regex label(R"(([a-z]+)\s*(=~|!=|=))");
    for (std::sregex_iterator l(asked.begin(), asked.end(), label), none; l != none; ++l)
      CHECK(labels.find("," + (*l)[1].str() + ",") != std::string::npos);
  }
  return out;
}

}  // namespace

TEST_CASE("monitoring: every rule is about metrics that exist") {
  const std::string rules = read("kiln.rules.yml");
  CHECK(check_names(rules).size() > 20);
  // Every rule has an expression, a severity and a sentence.
  auto count = [&](const std::string& what) {
    std::size_t n = 0;
    for (auto at = rules.find(what); at != std::string::npos; at = rules.find(what, at + 1)) ++n;
    return n;
  };
  const std::size_t rules_count = count("- alert: ");
  CHECK(rules_count >= 28);
  CHECK(count("expr: '") == rules_count);
  CHECK(count("severity: ") == rules_count);
  CHECK(count("summary: '") == rules_count);
}

TEST_CASE("monitoring: every metric of the table is written somewhere") {
  // Where it is only looked at does not count.
  std::string written;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(KILN_SOURCE_DIR "/engine")) {
    const std::string name = entry.path().filename();
    if (name.starts_with("alert_rules") || !(name.ends_with(".cpp") || name.ends_with(".h"))) continue;
    std::ifstream file(entry.path());
    std::ostringstream text;
    text << file.rdbuf();
    written += text.str();
  }
  for (const base::MetricInfo& metric : base::all_metrics()) {
    INFO(metric.name);
    const std::string word = std::string("Metric::") + metric.name;
    bool found = false;
    for (auto at = written.find(word); at != std::string::npos && !found; at = written.find(word, at + 1)) {
      const char next = at + word.size() < written.size() ? written[at + word.size()] : ' ';
      found = next != '_' && (next < 'a' || next > 'z');
    }
    CHECK(found);
  }
}

TEST_CASE("monitoring: every panel is about metrics that exist") {
  const auto dashboard = base::parse_json(read("kiln-dashboard.json"));
  REQUIRE(dashboard);
  std::size_t panels = 0;
  for (const base::JsonView panel : dashboard->root()["panels"]) {
    ++panels;
    for (const base::JsonView target : panel["targets"]) {
      INFO(panel["title"].text());
      const std::string expression(target["expr"].text());
      CHECK((!check_names(expression).empty() || expression.find("process_") != std::string::npos));
    }
  }
  CHECK(panels >= 16);
}

TEST_CASE("monitoring: what a site gives up is listed wherever it stands") {
  const auto loaded = channels::load_site_texts(
      {{"kiln.conf",
        "server { http { listen 0.0.0.0:8080; insecure accept_risk } health { listen 0.0.0.0:9464; insecure accept_risk }\n"
        "  notify ops { webhook \"http://pager.example.org/\"; authorization env(\"T\"); insecure accept_risk }\n"
        "  fhir { access { loopback open } } console { idle_logoff 2h } }"},
       {"channels/lab.channel",
        "channel lab {\n  source mllp { port 2575; bind \"0.0.0.0\"; insecure accept_risk }\n  accept hl7 ADT_A01 2.5.1\n"
        "  to pas: http from source { url \"http://pas.example.org/\"; token env(\"T\"); insecure accept_risk }\n"
        "  to kept: drop from source { }\n}\n"}});
  REQUIRE(loaded.site);
  std::string all;
  for (const engine::InsecureSetting& one : engine::insecure_settings(*loaded.site)) all += one.place + ": " + one.text + "\n";
  CHECK(all ==
        "server: health { insecure accept_risk }\n"
        "server: http { insecure accept_risk }\n"
        "server: notify ops { insecure accept_risk }\n"
        "lab: insecure accept_risk\n"
        "lab/pas: insecure accept_risk\n"
        "server: fhir { access { loopback open } }\n"
        "server: console { idle_logoff 120m }\n");
}
