"""The window on one card that the second look sees: upright, whole, a little larger than the card. The runtime cuts the same."""

import cv2
import numpy as np

# Canvas (width, height) by the window's proportions: lying, standing, neither.
CANVASES = ((512, 320), (320, 512), (416, 416))
MARGIN = 0.04


def canvas_for(width: float, height: float) -> tuple[int, int]:
    """The canvas that suits a window of these sides."""
    ratio = width / max(height, 1e-6)
    return CANVASES[0] if ratio > 1.25 else CANVASES[1] if ratio < 0.8 else CANVASES[2]


def window_matrix(center: np.ndarray, angle: float, extent: tuple[float, float, float, float], canvas: tuple[int, int]) -> np.ndarray:
    """The 2x3 affine from picture to canvas.

    `center` (x, y) px; `angle` the reading direction, radians; `extent` = (left, top, right, bottom) of the window
    around the centre, px in the turned frame. One scale for both axes; the window sits in the canvas's middle.
    """
    left, top, right, bottom = extent
    scale = min(canvas[0] / (right - left), canvas[1] / (bottom - top))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * scale
    middle = np.array([(left + right) / 2, (top + bottom) / 2]) * scale
    shift = np.array(canvas) / 2 - turn @ center - middle
    return np.concatenate([turn, shift[:, None]], 1)


def extent_of(points: np.ndarray, center: np.ndarray, angle: float, margin: float = MARGIN) -> tuple[float, float, float, float]:
    """The extent of points (n, 2) in the turned frame, `margin` of the longer side added all round."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    p = (points - center) @ turn.T
    (left, top), (right, bottom) = p.min(0), p.max(0)
    pad = margin * max(right - left, bottom - top)
    return left - pad, top - pad, right + pad, bottom + pad


def apply(matrix: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """Points (n, 2) through a 2x3 affine."""
    return quad @ matrix[:, :2].T + matrix[:, 2]


def cut(image: np.ndarray, matrix: np.ndarray, canvas: tuple[int, int]) -> np.ndarray:
    """The window's pixels; beyond the picture its edge is repeated."""
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if scale < 0.5:
        # Averaged down first: bilinear steps of over two pixels would skip some.
        factor = 0.5 ** int(np.log2(0.999 / scale))
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        matrix = matrix.copy()
        matrix[:, :2] /= factor
    return cv2.warpAffine(image, matrix, canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
