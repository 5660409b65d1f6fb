/*
 * What a guest's PC has that cannot be probed. Addresses and lines are those of
 * kernel/vm.h and drivers/pc; tests compare them.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "BASALT", "BASALTPC", 1)
{
	/* Soft off; other sleep states do not exist. */
	Name (\_S5, Package () { 0, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_SEG, 0)
			Name (_BBN, 0)
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0000, 0x0cf7, 0, 0x0cf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x0d00, 0xffff, 0, 0xf300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, 0xc0000000, 0xdfffffff, 0, 0x20000000)
			})

			/* Pin A to D (0 to 3) of each slot, wired as drivers/pci does it. */
			Method (_PRT, 0, NotSerialized)
			{
				Local0 = Package (128) {}
				Local1 = 0
				While (Local1 < 128)
				{
					Local2 = Local1 >> 2
					Local3 = Local1 & 3
					Local4 = Package (4) { 0, 0, 0, 0 }
					Local4[0] = (Local2 << 16) | 0xffff
					Local4[1] = Local3
					Local4[3] = 16 + ((Local2 + Local3) & 7)
					Local0[Local1] = Local4
					Local1++
				}
				Return (Local0)
			}

			/*
			 * PCI Firmware Specification 3.2, section 4.5.1 "_OSC Interface for
			 * PCI Host Bridge Devices": PME, AER and the PCI Express capability
			 * are the guest's if it wants them; there is no hot-plug.
			 */
			Method (_OSC, 4, Serialized)
			{
				CreateDWordField (Arg3, 0, CDW1)
				If (Arg0 != ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766"))
				{
					CDW1 |= 0x04 /* unknown UUID */
					Return (Arg3)
				}
				CreateDWordField (Arg3, 8, CDW3)
				If (Arg1 != 1)
				{
					CDW1 |= 0x08 /* unknown revision */
				}
				Local0 = CDW3 & 0x1c
				If (CDW3 != Local0)
				{
					CDW1 |= 0x10 /* some were masked */
				}
				CDW3 = Local0
				Return (Arg3)
			}

			Device (ISA)
			{
				Name (_ADR, 0x001f0000)

				Device (COM1)
				{
					Name (_HID, EisaId ("PNP0501"))
					Name (_UID, 1)
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x3f8, 0x3f8, 1, 8)
						IRQNoFlags () { 4 }
					})
				}

				Device (RTC)
				{
					Name (_HID, EisaId ("PNP0B00"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x70, 0x70, 1, 2)
						IRQNoFlags () { 8 }
					})
				}
			}
		}

		Device (HPET)
		{
			Name (_HID, EisaId ("PNP0103"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xfed00000, 0x400)
			})
		}

		/* Linux trusts the MCFG only if somebody has reserved its range. */
		Device (BRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xe0000000, 0x10000000)
			})
		}

		/* pvpanic: the guest's kernel tells that it has panicked. */
		Device (PEVT)
		{
			Name (_HID, "QEMU0001")
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x505, 0x505, 1, 1)
			})
		}
	}
}
