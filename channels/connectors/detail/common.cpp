#include "channels/connectors/detail/common.h"

#include "engine/base/text.h"

namespace kiln::channels {

base::Task<std::vector<SendOutcome>> Destination::send_batch(std::vector<Outgoing> messages) {
  auto sending = send(std::move(messages.front()));
  SendOutcome outcome = co_await std::move(sending);
  std::vector<SendOutcome> out;
  out.push_back(std::move(outcome));
  co_return out;
}

namespace detail {

namespace {

struct Gathering {
  explicit Gathering(base::TimerExecutor& executor) : done(executor) {}
  std::vector<Answer> answers;
  std::size_t missing = 0;
  base::Event done;
};

base::Task<void> accept_one(Intake* intake, Inbound message, std::size_t index,
                            std::shared_ptr<Gathering> gathering) {
  auto accepting = intake->accept(std::move(message));
  Answer answer = co_await std::move(accepting);
  gathering->answers[index] = std::move(answer);
  if (--gathering->missing == 0) gathering->done.notify();
}

}  // namespace

base::Task<std::vector<Answer>> accept_all(Intake* intake, base::TimerExecutor* executor,
                                           std::vector<Inbound> messages) {
  auto gathering = std::make_shared<Gathering>(*executor);
  gathering->answers.resize(messages.size());
  gathering->missing = messages.size();
  for (std::size_t i = 0; i < messages.size(); ++i)
    base::spawn(accept_one(intake, std::move(messages[i]), i, gathering));
  while (gathering->missing != 0) {
    auto wait = gathering->done.wait(std::chrono::nanoseconds(-1));
    co_await wait;
  }
  co_return std::move(gathering->answers);
}

base::Task<std::vector<Answer>> accept_in_steps(Intake* intake, base::TimerExecutor* executor, std::vector<Inbound> messages,
                                                bool replies) {
  std::vector<Answer> all;
  bool stored = true;
  while (all.size() < messages.size() && stored) {
    while (!intake->has_room()) {
      auto room = intake->room();
      co_await std::move(room);
    }
    const auto begin = messages.begin() + static_cast<std::ptrdiff_t>(all.size());
    const auto end = begin + static_cast<std::ptrdiff_t>(std::min(messages.size() - all.size(), base::limits::kMllpPipelinedMax));
    std::vector<Inbound> some(std::make_move_iterator(begin), std::make_move_iterator(end));
    auto accepting = accept_all(intake, executor, std::move(some));
    std::vector<Answer> answers = co_await std::move(accepting);
    for (Answer& answer : answers) {
      stored = stored && answer.taken != Taken::not_stored;
      if (!replies) answer.reply = std::string();
      all.push_back(std::move(answer));
    }
  }
  co_return all;
}

base::Task<void> pause(base::TimerExecutor* executor, std::int64_t ms) {
  base::Event never(*executor);
  auto wait = never.wait(std::chrono::milliseconds(ms));
  co_await wait;
}

bool is_this_machine(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

std::string site_path(const Surroundings& around, const std::string& path) {
  return base::join_path(around.site, path);
}

tl::unexpected<base::Error> option_error(const char* option, const base::Error& why) {
  const std::string text = why.text.empty() ? why.info().text : why.text;
  return base::fail(why.code, std::string("option ") + option + ": " + text, why.place, why.remedy);
}

bool is_plain_path(std::string_view path) {
  for (const char c : path)
    if (static_cast<unsigned char>(c) < 0x20 || c == '\\' || c == 0x7f) return false;
  if (path.starts_with('/')) path.remove_prefix(1);
  for (const std::string_view step : base::split(path, '/'))
    if (step.empty() || step == "." || step == ".." || step.size() > 255) return false;
  return true;
}

}  // namespace detail
}  // namespace kiln::channels
