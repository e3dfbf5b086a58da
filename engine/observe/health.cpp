#include "engine/observe/health.h"

#include "engine/base/json.h"
#include "engine/limits.h"

namespace kiln::engine {

void Health::watch(const char* part, base::Executor& executor) {
  parts_.push_back({part, &executor, clock_.mono(), std::make_shared<std::atomic<bool>>(true)});
}

void Health::beat() {
  for (Part& part : parts_) {
    if (!part.answered->load(std::memory_order_acquire)) continue;
    part.answered->store(false, std::memory_order_relaxed);
    part.asked = clock_.mono();
    part.executor->post([sign = part.answered] { sign->store(true, std::memory_order_release); });
  }
}

void Health::step(const char* what, int percent) {
  step_ = what;
  percent_ = percent;
}

void Health::reason(const char* why, bool applies) {
  reasons_[why] = applies;
}

std::vector<std::string> Health::stuck() const {
  std::vector<std::string> out;
  for (const Part& part : parts_)
    if (!part.answered->load(std::memory_order_acquire) &&
        clock_.mono() - part.asked > std::chrono::milliseconds(limits::kStuckMs))
      out.emplace_back(part.name);
  return out;
}

std::vector<std::string> Health::reasons() const {
  std::vector<std::string> out;
  if (!started_) out.emplace_back("starting");
  for (const auto& [why, applies] : reasons_)
    if (applies) out.push_back(why);
  return out;
}

namespace {

base::HttpResponse list_response(const char* member, const std::vector<std::string>& list) {
  base::JsonWriter json;
  json.begin_object().member("status", list.empty() ? "ok" : "failed");
  json.key(member).begin_array();
  for (const std::string& one : list) json.string(one);
  json.end_array().end_object();
  base::HttpResponse response;
  response.status = list.empty() ? 200 : 503;
  response.body = json.take();
  return response;
}

}  // namespace

std::optional<base::HttpResponse> Health::answer(std::string_view path) const {
  base::HttpResponse response;
  if (path == "/healthz") {
    response = list_response("stuck", stuck());
  } else if (path == "/readyz") {
    response = list_response("reasons", reasons());
  } else if (path == "/startupz") {
    base::JsonWriter json;
    json.begin_object().member("status", started_ ? "ok" : "starting").member("step", started_ ? "serving" : step_);
    json.key("percent").integer(started_ ? 100 : percent_).end_object();
    response.status = started_ ? 200 : 503;
    response.body = json.take();
  } else {
    return std::nullopt;
  }
  response.headers.set("Content-Type", "application/json; charset=UTF-8");
  response.headers.set("Cache-Control", "no-store");
  return response;
}

}  // namespace kiln::engine
