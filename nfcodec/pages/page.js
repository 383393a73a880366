"use strict";

document.documentElement.classList.add("js");

// Pictures: the slider, or the pointer on the pictures, moves the border between the two. Where there is a choice of
// sizes, a finger moves pictures that do not fit instead.

for (const wipe of document.querySelectorAll(".wipe")) {
  const stage = wipe.querySelector(".stage");
  const slider = wipe.querySelector("input");
  const size = wipe.querySelector("select");
  const show = () => stage.style.setProperty("--wipe", `${slider.value}%`);
  const follow = (event) => {
    const box = stage.getBoundingClientRect();
    slider.value = (100 * (event.clientX - box.left)) / box.width;
    show();
  };
  slider.addEventListener("input", show);
  stage.addEventListener("dragstart", (event) => event.preventDefault());
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" && stage.classList.contains("sized")) return;
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  size?.addEventListener("change", () => {
    const pixels = stage.querySelector("img").naturalWidth;
    stage.style.width = size.value && `${(size.value * pixels) / window.devicePixelRatio}px`;
    stage.classList.toggle("sized", size.value !== "");
    fit();
  });
  show();
}

// What can be scrolled can be reached with the keyboard; what is shown smaller than it is, is smoothed.

function fit() {
  for (const box of document.querySelectorAll(".scroll, .view")) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
  for (const image of document.querySelectorAll(".stage img, .map img")) {
    image.classList.toggle("shrunk", image.clientWidth * window.devicePixelRatio < image.naturalWidth);
  }
}
window.addEventListener("load", fit);
window.addEventListener("resize", fit);
