#include "engine/detail/reload_cli.h"

#include "engine/base/json.h"
#include "engine/detail/admin_client.h"
#include "engine/detail/operator.h"

namespace kiln::engine::detail {

int run_reload(const Arguments& arguments, const char* target, const std::string& members, bool dry_run) {
  std::string more = dry_run ? "\"dry_run\":true" : "\"dry_run\":false";
  if (!members.empty()) more += "," + members;
  const auto done =
      ask_admin(arguments, "POST", std::string("/config/") + target, operator_body(arguments, more));
  if (!done) return report(done.error(), arguments);
  const auto document = base::parse_json(*done);
  if (!document) return report(document.error(), arguments);
  const base::JsonView root = document->root();
  const bool same = root["same"].boolean();
  if (arguments.json()) return print(*done + "\n"), dry_run && !same ? kExitFound : kExitOk;
  for (const base::JsonView line : root["effects"]) print(std::string(line.text()) + "\n");
  for (const base::JsonView line : root["restart"])
    print(std::string(line.text()) + ": is used after a restart\n");
  for (const base::JsonView line : root["left"]) print(std::string(line.text()) + "\n");
  const std::string version(root["config"].text().substr(0, 12));
  print(same ? "nothing has changed (" + version + ")\n"
             : (dry_run ? "would be applied: " : "applied: ") + version + "\n");
  return dry_run && !same ? kExitFound : kExitOk;
}

int run_diff(const Arguments& arguments) {
  const auto done = ask_admin(arguments, "/config/diff");
  if (!done) return report(done.error(), arguments);
  const auto document = base::parse_json(*done);
  if (!document) return report(document.error(), arguments);
  const base::JsonView root = document->root();
  const bool same = root["same"].boolean();
  if (arguments.json()) return print(*done + "\n"), same ? kExitOk : kExitFound;
  for (const base::JsonView file : root["files"]) {
    print(std::string(file["change"].text()) + ": " + std::string(file["path"].text()) + "\n");
    print(file["diff"].text());
  }
  for (const base::JsonView line : root["effects"]) print(std::string(line.text()) + "\n");
  for (const base::JsonView line : root["restart"])
    print(std::string(line.text()) + ": is used after a restart\n");
  if (same)
    print("the engine runs what is on disk (" + std::string(root["running"].text().substr(0, 12)) + ")\n");
  return same ? kExitOk : kExitFound;
}

}  // namespace kiln::engine::detail
