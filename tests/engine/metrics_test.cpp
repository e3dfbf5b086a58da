#include "engine/base/metrics.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>
#include <type_traits>

#include "engine/observe/disk_forecast.h"
#include "engine/observe/kept_counters.h"
#include "engine/observe/figures.h"
#include "engine/observe/meters.h"
#include "engine/observe/process_metrics.h"

using namespace kiln;
using namespace kiln::base;

namespace {

/// A reader of the text format as strict as its specification: every line is a comment of the two kinds or a sample, every sample
/// belongs to a family that was declared before, no series stands twice.
std::map<std::string, double> parse(const std::string& text) {
  static const std::regex help("# HELP ([a-z_]+) ([^\\n]+)"), type("# TYPE ([a-z_]+) (counter|gauge|histogram)"),
      sample(R"(([a-z_]+)(\{([a-z]+="(\\["\\n]|[^"\\])*",?)+\})? (-?[0-9.e+]+))");
  std::map<std::string, double> out;
  std::map<std::string, std::string> types;
  std::istringstream lines(text);
  REQUIRE(text.back() == '\n');
  for (std::string line; std::getline(lines, line);) {
    std::smatch m;
    if (std::regex_match(line, m, help)) continue;
    if (std::regex_match(line, m, type)) {
      CHECK(types.emplace(m[1], m[2]).second);
      continue;
    }
    INFO(line);
    REQUIRE(std::regex_match(line, m, sample));
    std::string family = m[1];
    for (const char* suffix : {"_bucket", "_sum", "_count"})
      if (const std::string s = suffix; family.ends_with(s) && types[family.substr(0, family.size() - s.size())] == "histogram")
        family.resize(family.size() - s.size());
    CHECK(!types[family].empty());
    CHECK(out.emplace(m[1].str() + m[2].str(), std::stod(m[5])).second);
  }
  return out;
}

}  // namespace

TEST_CASE("metrics: the text is what a strict reader of the format takes") {
  Metrics metrics;
  metrics.counter(Metric::messages_received_total, {Safe::name("a\"b\\c\nd")}).add(3);
  metrics.gauge(Metric::messages_pending, {"in", "out"}).set(2.5);
  Histogram& commits = metrics.histogram(Metric::journal_commit_seconds);
  commits.observe(std::chrono::microseconds(250));
  commits.observe(std::chrono::microseconds(251));
  commits.observe(std::chrono::seconds(60));
  metrics.histogram(Metric::journal_commit_group_size).observe_size(7);
  auto read = parse(metrics.print() + engine::print_process_metrics({1'795'000'000'000'000}));
  CHECK(read.at(R"(kiln_messages_received_total{channel="a\"b\\c d"})") == 3);
  CHECK(read.at(R"(kiln_messages_pending{channel="in",destination="out"})") == 2.5);
  CHECK(read.at(R"(kiln_journal_commit_seconds_bucket{le="0.00025"})") == 1);
  CHECK(read.at(R"(kiln_journal_commit_seconds_bucket{le="0.0005"})") == 2);
  CHECK(read.at(R"(kiln_journal_commit_seconds_bucket{le="10"})") == 2);
  CHECK(read.at(R"(kiln_journal_commit_seconds_bucket{le="+Inf"})") == 3);
  CHECK(read.at("kiln_journal_commit_seconds_count") == 3);
  CHECK(read.at("kiln_journal_commit_seconds_sum") == Approx(60.000501));
  CHECK(read.at(R"(kiln_journal_commit_group_size_bucket{le="8"})") == 1);
  CHECK(read.at("kiln_journal_fsync_errors_total") == 0);
  CHECK(read.contains("process_open_fds"));
  CHECK(!read.contains("kiln_backup_last_success_timestamp_seconds"));  // never set: not 1970
}

TEST_CASE("metrics: the table is the list of the operations design") {
  std::ifstream file(KILN_SOURCE_DIR "/../shared/design/operations.md");
  if (!file) {
    WARN("the design is not here: skipped");
    return;
  }
  std::set<std::string> wanted, present;
  bool inside = false;
  const std::regex name("`([a-z_]+)");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line.starts_with("## 4. Metrics");
    if (!inside || !line.starts_with("| ")) continue;
    for (std::sregex_iterator at(line.begin(), line.end(), name), end; at != end; ++at)
      if (const std::string found = (*at)[1]; found != "process_") wanted.insert(found);
  }
  for (const MetricInfo& info : all_metrics()) present.insert(info.name);
  CHECK(wanted.size() > 50);
  // The audit trail is exported when somebody asks: a figure that nothing writes would be a lie. What a destination refuses or does
  // not answer, and its policy skips, ends there: it is counted by destination, under a name of its own.
  for (const char* without : {"messages_expired_total", "audit_export_lag_seconds"}) CHECK(wanted.erase(without) == 1);
  for (const char* beside : {"log_dropped_total", "trace_spans_total", "deliveries_expired_total", "deliveries_rejected_total"}) CHECK(present.erase(beside) == 1);
  CHECK(wanted == present);
}

TEST_CASE("metrics: labels are of the closed list and names are of the form that Prometheus wants") {
  const std::set<std::string> allowed = {"channel", "destination", "state", "code", "listener", "interaction",
                                         "result",  "status",      "key",   "version", "cause"};
  for (const MetricInfo& info : all_metrics()) {
    INFO(info.name);
    std::istringstream labels(info.labels);
    for (std::string label; std::getline(labels, label, ',');) CHECK(allowed.contains(label));
    CHECK((info.kind == MetricKind::counter) == std::string(info.name).ends_with("_total"));
    CHECK(std::string(info.help).size() > 10);
    CHECK(find_metric(std::string("kiln_") + info.name) == find_metric(info.name));
  }
  CHECK(!find_metric("patients_total"));
}

TEST_CASE("metrics: text that was not declared safe is no value of a label") {
  STATIC_REQUIRE(!std::is_convertible_v<std::string, Safe>);
  STATIC_REQUIRE(!std::is_convertible_v<std::string_view, Safe>);
  STATIC_REQUIRE(!std::is_constructible_v<Safe, std::string>);
}

TEST_CASE("metrics: beyond the cap series are counted together, none is lost") {
  Metrics metrics;
  for (std::size_t i = 0; i < Metrics::kSeriesMax + 100; ++i)
    metrics.counter(Metric::messages_received_total, {Safe::name("c" + std::to_string(i))}).add();
  double sum = 0;
  const auto read = metrics.read(Metric::messages_received_total);
  for (const auto& sample : read) sum += sample.value;
  CHECK(read.size() == Metrics::kSeriesMax + 1);
  CHECK(sum == Metrics::kSeriesMax + 100);
}

TEST_CASE("metrics: writers of several threads lose nothing; a total never goes down") {
  Metrics metrics;
  Counter& counter = metrics.counter(Metric::journal_fsync_errors_total);
  Histogram& histogram = metrics.histogram(Metric::journal_commit_seconds);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        counter.add();
        histogram.observe(std::chrono::microseconds(i));
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(counter.value() == 40'000);
  CHECK(histogram.counts().count == 40'000);
  counter.set_total(10);
  CHECK(counter.value() == 40'000);
}

TEST_CASE("metrics: a channel that is gone is not shown, and is again when it is back") {
  Metrics metrics;
  metrics.counter(Metric::messages_received_total, {"gone"}).add(5);
  metrics.retire("channel", "gone");
  CHECK(metrics.read(Metric::messages_received_total).empty());
  CHECK(metrics.counter(Metric::messages_received_total, {"gone"}).value() == 5);
  CHECK(metrics.read(Metric::messages_received_total).size() == 1);
}

TEST_CASE("metrics: percentiles lie in the bucket of the value") {
  Histogram histogram(MetricKind::seconds);
  for (int i = 0; i < 98; ++i) histogram.observe(std::chrono::microseconds(700));
  for (int i = 0; i < 2; ++i) histogram.observe(std::chrono::milliseconds(80));
  const HistogramCounts counts = histogram.counts();
  CHECK(counts.quantile(MetricKind::seconds, 0.5) > 500);
  CHECK(counts.quantile(MetricKind::seconds, 0.5) <= 1'000);
  CHECK(counts.quantile(MetricKind::seconds, 0.99) > 50'000);
  CHECK(counts.quantile(MetricKind::seconds, 0.99) <= 100'000);
  CHECK((counts - counts).quantile(MetricKind::seconds, 0.5) == 0);
}

TEST_CASE("meters: what is counted here is counted there; the copy counts for itself") {
  Metrics metrics;
  engine::MeteredCount tally;
  tally.attach(metrics.counter(Metric::replayed_total, {"t"}));
  ++tally;
  engine::MeteredCount copy = tally;
  ++copy;
  tally += 3;
  CHECK(tally == 4);
  CHECK(copy == 2);
  CHECK(metrics.counter(Metric::replayed_total, {"t"}).value() == 4);
}

TEST_CASE("meters: acknowledgements are counted by the code of MSA-1 and nothing else") {
  engine::ChannelMeter meter("acks_test");
  meter.answered("MSH|^~\\&|A\rMSA|AA|1\r");
  meter.answered("MSH|^~\\&|A\rMSA|AE|1|DOE^JOHN\r");
  meter.answered("MSH|^~\\&|A\rMSA|DOE|1\r");
  meter.answered("MSA");
  meter.answered("");
  auto count = [](Safe code) { return Metrics::process().counter(Metric::acks_total, {"acks_test", code}).value(); };
  CHECK(count("AA") == 1);
  CHECK(count("AE") == 1);
  CHECK(count("AR") == 0);
}

TEST_CASE("figures: only the last minutes count") {
  Histogram histogram(MetricKind::seconds);
  engine::LatencyWindow window;
  for (int i = 0; i < 100; ++i) histogram.observe(std::chrono::milliseconds(80));
  window.add(histogram.counts());
  CHECK(window.latency().p99 > 50);
  for (std::size_t step = 0; step < engine::LatencyWindow::kSteps + 1; ++step) {
    histogram.observe(std::chrono::microseconds(400));
    window.add(histogram.counts());
  }
  CHECK(window.latency().p99 < 1);
  CHECK(window.latency().p50 > 0);
}

TEST_CASE("forecast: a disk that fills has an end, one that does not has none") {
  engine::DiskForecast forecast;
  for (int hour = 0; hour < 48; ++hour) forecast.add(std::chrono::hours(hour), 1e9 + 1e8 * hour);
  CHECK(*forecast.seconds_until(2.4e9) == Approx(24 * 3600));
  engine::DiskForecast still;
  still.add(std::chrono::hours(0), 1e9);
  still.add(std::chrono::hours(5), 1e9);
  CHECK(!still.seconds_until(1e9));
}

TEST_CASE("metrics: counters of messages go on over an orderly restart") {
  using kiln::base::Metric;
  kiln::base::Metrics before, after;
  before.counter(Metric::messages_received_total, {"lab_in"}).add(41);
  before.counter(Metric::messages_sent_total, {"lab_in", "pas"}).add(7);
  before.counter(Metric::messages_received_total, {"gone"}).add(5);
  before.counter(Metric::clock_step_total).add(3);
  const std::string kept = kiln::engine::print_counters(before);
  after.counter(Metric::messages_received_total, {"lab_in"}).add();
  kiln::engine::add_counters(after, kept, {"lab_in"});
  CHECK(after.counter(Metric::messages_received_total, {"lab_in"}).value() == 42);
  CHECK(after.counter(Metric::messages_sent_total, {"lab_in", "pas"}).value() == 7);
  CHECK(after.read(Metric::messages_received_total).size() == 1);
  CHECK(after.counter(Metric::clock_step_total).value() == 0);
  for (const char* wrong : {"", "{", "[]", "{\"messages_received_total\":[[1],[\"x\"],7]}"}) kiln::engine::add_counters(after, wrong, {"lab_in"});
  CHECK(after.counter(Metric::messages_received_total, {"lab_in"}).value() == 42);
}
