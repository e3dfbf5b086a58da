#include "engine/detail/status_text.h"

#include "engine/detail/admin_client.h"

namespace kiln::engine::detail {
namespace {

std::string text_of(base::JsonView view, const char* otherwise = "-") {
  const std::string out(view.text());
  return out.empty() ? otherwise : out;
}

}  // namespace

std::string print_status_text(base::JsonView status, const Arguments& arguments) {
  std::string out = "kiln " + std::string(status["version"].text()) + ", " +
                    shown_time(status["now"].text(), arguments) + ", up " +
                    std::string(status["uptime_seconds"].text()) + " s, site " +
                    std::string(status["config"].text().substr(0, 12)) + "\n";
  out += std::string(status["verdict"]["text"].text()) + "\n";
  for (const base::JsonView one : status["problems"]) {
    out += std::string(one["level"].text() == "bad" ? "  !! " : "  ! ");
    if (one["channel"])
      out += std::string(one["channel"].text()) +
             (one["destination"] ? "/" + std::string(one["destination"].text()) : "") + ": ";
    out += std::string(one["text"].text()) + "\n     " + std::string(one["doing"].text()) + "; " +
           std::string(one["can"].text());
    if (one["command"]) out += ": " + std::string(one["command"].text());
    out += "\n";
  }
  for (const base::JsonView one : status["insecure"]) out += "  insecure: " + std::string(one.text()) + "\n";
  if (const base::JsonView scrub = status["scrub"]) {
    const std::string file(scrub["file"].text());
    out += "journal: " + std::string(scrub["records"].text()) + " records read again" +
           (file.empty() ? "" : ", now " + file + " at message " + std::string(scrub["at"].text())) + ", " +
           std::string(scrub["damaged"].text()) + " damaged; last time all " +
           (scrub["last_full"] ? shown_time(scrub["last_full"].text(), arguments) : std::string("not yet")) + "\n";
  }
  Table table({"channel", "state", "received", "/s", "repeated", "filtered", "rejected", "expired", "sent", "pending", "quarantined",
               "last received"});
  for (const base::JsonView channel : status["channels"]) {
    table.add({text_of(channel["name"]), text_of(channel["state"]), text_of(channel["received"]),
               text_of(channel["rate"]["m1"]), text_of(channel["duplicates"]), text_of(channel["filtered"]),
               text_of(channel["rejected"]), text_of(channel["expired"]), text_of(channel["sent"]), text_of(channel["pending"]), text_of(channel["quarantined"]),
               channel["last_received"] ? shown_time(channel["last_received"].text(), arguments)
                                        : std::string("-")});
    for (const base::JsonView destination : channel["destinations"])
      table.add(
          {"  -> " + text_of(destination["name"]), text_of(destination["state"]), "", "", "", "", text_of(destination["rejected"]),
           text_of(destination["expired"]), text_of(destination["sent"]), text_of(destination["pending"]), text_of(destination["quarantined"]),
           destination["last_failure"] ? std::string(destination["last_failure"].text()) : std::string()});
  }
  return out + "\n" + table.text();
}

}  // namespace kiln::engine::detail
