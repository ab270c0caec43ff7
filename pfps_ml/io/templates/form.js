"use strict";
(function () {
  const form = document.getElementById("form");
  const said = document.getElementById("said");

  // a spreadsheet would run such a text as a formula; the apostrophe is taken off when the file is read
  function guarded(text) {
    return /^'*[=+\-@\t\r]/.test(text) && !/^[+-](\d+([.,]\d*)?|[.,]\d+)$/.test(text) ? "'" + text : text;
  }

  function cell(text) {
    const plain = guarded(text.trim());
    return /[",\r\n]/.test(plain) ? '"' + plain.replace(/"/g, '""') + '"' : plain;
  }

  function fileName(id) {
    return id.trim().replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^\.+/, "_") + ".csv";
  }

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    const fields = Array.from(form.elements).filter((one) => one.name);
    const lines = [fields.map((one) => one.name), fields.map((one) => cell(one.value))];
    const text = "\ufeff" + lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = fileName(form.elements.runner_id.value);
    link.click();
    URL.revokeObjectURL(link.href);
    said.textContent = "Saved as " + link.download;
  });
})();
