// A federated extension of JupyterLab 4 and Notebook 7, written as their loader expects it, so that nothing has to be built.
// It tells this server that somebody is there, and shows what the hub answers: an announcement, or that the server is to stop.
(() => {
  "use strict";
  const LONGEST = 140; // of a notification, in JupyterLab
  const TOUCHED = ["pointerdown", "keydown", "wheel", "touchstart"];
  const SHOWN = ".Toastify, .jp-Notification-List, .jp-Dialog";
  const ADDRESS = /(https:\/\/(?:[^\s<>"'()]|\([^\s<>"'()]*\))+(?<![.,:;!?]))/;
  let shared;

  // A module that JupyterLab shares, in the version that it has.
  const load = async name => {
    const versions = Object.values(shared[name]);
    return (await (versions.find(one => one.loaded) || versions[0]).get())();
  };

  const activate = async app => {
    const [{ Notification, showDialog, Dialog }, { ServerConnection }, { Widget }] = await Promise.all(
      ["@jupyterlab/apputils", "@jupyterlab/services", "@lumino/widgets"].map(load)
    );
    const server = app.serviceManager.serverSettings;
    const shown = { announcement: {}, stop: {} };
    let touched = Date.now();
    let next = 30; // seconds

    const touch = event => {
      // A click on a notice is no use of the server: it has a limit of its own.
      if (!event.target.closest?.(SHOWN)) touched = Date.now();
    };
    TOUCHED.forEach(name => document.addEventListener(name, touch, { capture: true, passive: true }));

    const ask = async keep => {
      const body = JSON.stringify({ untouched: (Date.now() - touched) / 1000, keep });
      const answer = await ServerConnection.makeRequest(`${server.baseUrl}api/swarmhub`, { method: "POST", body }, server);
      if (!answer.ok) throw new Error(`${answer.status}`);
      show(await answer.json());
    };

    const put = (kind, message, type, actions) => {
      const one = shown[kind];
      const key = JSON.stringify([message, actions.map(action => action.label)]);
      if (one.key === key) return;
      if (one.id) Notification.dismiss(one.id);
      one.key = key;
      one.id = message && Notification.emit(message, type, { autoClose: false, actions });
    };

    const read = text => {
      const body = new Widget();
      body.node.style.whiteSpace = "pre-line";
      text.split(ADDRESS).forEach((part, place) => {
        const link = place % 2 && Object.assign(document.createElement("a"), { href: part, target: "_blank", rel: "noopener" });
        if (link) link.textContent = part;
        body.node.append(link || part);
      });
      return showDialog({ title: "Announcement", body, buttons: [Dialog.okButton()] });
    };

    const announce = text => {
      const isWhole = text.length <= LONGEST && !ADDRESS.test(text) && !text.includes("\n");
      const more = { label: "Read all", callback: () => read(text) };
      put("announcement", text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text, "info", isWhole ? [] : [more]);
    };

    const warn = stop => {
      if (!stop) return put("stop", "", "warning", []);
      const at = new Date(Date.now() + 1000 * Math.max(0, stop.in));
      const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      const why = stop.why === "age" ? "This server has run for as long as it may." : "Nobody has used this server for a while.";
      const end = stop.keep ? "" : " This cannot be put off any more.";
      const keep = { label: "Keep it running", callback: () => ask(true).catch(console.warn) };
      put("stop", `${why} It stops at about ${time}. Save your work.${end}`, "warning", stop.keep ? [keep] : []);
    };

    const show = answer => {
      announce(answer.announcement || "");
      warn(answer.stop);
      next = Math.min(30, answer.next || 30);
    };

    const loop = async () => {
      await ask(false).catch(() => {
        // The server has been stopped, or the network is away.
        warn(null);
        next = 60;
      });
      setTimeout(loop, 1000 * next);
    };
    // What is said before all has been activated is not shown: Notebook 7 has no list of it, either.
    void app.started.then(loop);
  };

  const plugin = { id: "swarmhub:notices", description: "Notices of the hub.", autoStart: true, activate };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.swarmhub = {
    init: scope => {
      shared = scope;
    },
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
