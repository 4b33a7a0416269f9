"""The smallest PDF that every reader opens: one page of text lines. For GET /{entity}/{id}/pdf."""

from decimal import Decimal


def lines_of(entity: str, record: dict) -> list[str]:
    """What the page of a document says."""
    lines = [
        f"{entity} {record.get('DocNumber', record['Id'])}",
        f"Date {record.get('TxnDate', '')}",
        f"Customer {record.get('CustomerRef', {}).get('name', '')}",
    ]
    for line in record.get("Line", []):
        if "Amount" in line:
            lines.append(f"{line.get('Description', line.get('DetailType', 'Applied'))}  {Decimal(line['Amount']):.2f}")
    return [*lines, f"Total {Decimal(record.get('TotalAmt', 0)):.2f}"]


def page(lines: list[str]) -> bytes:
    """A one-page PDF 1.4 with these lines; what Latin-1 lacks becomes a question mark."""
    shown = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in lines[:60]]
    text = "BT /F1 11 Tf 56 780 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in shown) + " ET"
    content = text.encode("latin-1", "replace")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % count
    return out + head + table + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(out))
