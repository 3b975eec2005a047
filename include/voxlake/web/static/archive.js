// The buttons that start a run of Airflow for what has failed, as the user who presses them.

const REFUSED = {
  401: "You are not logged in to Airflow any more. Log in, and try again.",
  403: "You may not start runs of this DAG. Ask somebody who operates Airflow to press this button.",
  404: "Airflow does not know the DAG ringcentral_recordings.",
};

async function start(button) {
  const reply = await fetch(button.dataset.runs, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      logical_date: null,
      conf: { telephony_session_ids: button.dataset.sessions.split(" ") },
    }),
  });
  if (reply.ok) return (await reply.json()).dag_run_id;
  throw new Error(REFUSED[reply.status] ?? `Airflow refused it (${reply.status}). Its log says why.`);
}

function say(button, ...nodes) {
  button.parentElement.querySelector(".said").replaceChildren(...nodes);
}

function linkTo(button, run) {
  const link = document.createElement("a");
  link.href = `${button.dataset.dag}/runs/${encodeURIComponent(run)}`;
  link.target = "_top";
  link.dataset.airflow = "";
  link.textContent = "See the run";
  return link;
}

for (const button of document.querySelectorAll("button[data-sessions]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    say(button, "Starting…");
    try {
      const run = await start(button);
      say(button, "A run has been started. ", linkTo(button, run));
    } catch (error) {
      button.disabled = false;
      say(button, error.message);
    }
  });
}
