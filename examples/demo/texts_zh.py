"""Exchanges and captions in Chinese, for some of the pictures."""

from __future__ import annotations

from attributes import ATTRIBUTES, BODY_PARTS, MODALITIES
from pictures import Picture
from texts import Exchange, place_in_file, value_text

__all__ = ["caption_in_chinese", "exchanges_in_chinese"]

_PLANES = {"axial": "轴位", "coronal": "冠状位", "sagittal": "矢状位", "oblique": "斜位"}

_UNITS = {"degrees": "度"}


def exchanges_in_chinese(picture: Picture) -> list[Exchange]:
    """Asks for modality, size, body part, plane and the first numbers that the file states."""
    width, height = picture.size
    term, modality = picture.modality, MODALITIES[picture.modality]
    exchanges = [
        Exchange(
            "这张图像是用什么成像方式获得的？",
            f"成像方式为{term}（{modality.name_zh}）。",
            ("Modality",),
        ),
        Exchange("这张图片的尺寸是多少？", f"图片宽{width}像素，高{height}像素。"),
    ]
    if part := picture.tags.get("BodyPartExamined"):
        answer = f"文件头中的检查部位为{BODY_PARTS[str(part)][1]}（{part}）。"
        exchanges.append(Exchange("文件头中写明的检查部位是什么？", answer, ("BodyPartExamined",)))
    if picture.plane:
        exchanges.append(Exchange("这是哪个方位的切面？", f"这是{_PLANES[picture.plane]}切面。"))
    return exchanges + [_about_attribute(picture, keyword) for keyword in _numbers(picture)[:3]]


def caption_in_chinese(picture: Picture) -> str:
    """Describes the picture in one sentence, which no other picture has."""
    width, height = picture.size
    parts = [_subject(picture)]
    if place := place_in_file(picture):
        unit = {"slice": "层", "frame": "帧"}[place[0]]
        parts.append(f"共{place[2]}{unit}中的第{place[1]}{unit}")
    if picture.modality == "CT" and picture.window:
        parts.append(f"窗位{picture.window[0]:g}，窗宽{picture.window[1]:g}")
    if picture.crop:
        parts.append(f"取自原图第{picture.crop[0]}至{picture.crop[2] - 1}列")
    return f"{'，'.join(parts)}，宽{width}像素，高{height}像素。"


def _subject(picture: Picture) -> str:
    if picture.about[1]:
        return picture.about[1].rstrip("。")
    part = picture.tags.get("BodyPartExamined")
    body_part = BODY_PARTS[str(part)][1] if part else ""
    plane = _PLANES[picture.plane] if picture.plane else ""
    return f"{body_part}{plane}{MODALITIES[picture.modality].image_zh}"


def _numbers(picture: Picture) -> list[str]:
    return [keyword for keyword, value in picture.tags.items() if isinstance(value, float | int)]


def _about_attribute(picture: Picture, keyword: str) -> Exchange:
    attribute = ATTRIBUTES[keyword]
    value = value_text(keyword, picture.tags[keyword])
    value = value.replace(attribute.unit, _UNITS.get(attribute.unit, attribute.unit))
    answer = f"{attribute.name_zh}为{value}。"
    return Exchange(f"{attribute.name_zh}是多少？", answer, (keyword,))
