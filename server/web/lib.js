// What views build on, from one place: preact and htm.
export {
  h, html, render, useState, useReducer, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useErrorBoundary,
} from "./vendor/htm-preact.module.js";
