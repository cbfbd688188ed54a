"""Makes the three frames beside it: a ball that falls. Needs Pillow; run it in this directory."""

from PIL import Image, ImageDraw

SIDE = 256
for number, height in enumerate((50, 120, 205), start=1):
    image = Image.new("RGB", (SIDE, SIDE), "skyblue")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 230, SIDE, SIDE), fill="seagreen")
    draw.ellipse((103, height - 25, 153, height + 25), fill="crimson")
    image.save(f"{number}.jpg", quality=80)
